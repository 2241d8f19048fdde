// BLEU as three programs compute it: NIST's mteval (E2E), Moses' multi-bleu (WebNLG, DART) and sacreBLEU.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "data/metrics/corpus.h"
#include "data/metrics/mteval_tokens.h"

namespace preamble::metrics {

/// Highest order of n-grams that BLEU counts.
inline constexpr std::size_t kBleuOrder = 4;

/// What BLEU is made of, summed over a corpus. Index n-1 is order n.
struct BleuStatistics {
  std::array<std::int64_t, kBleuOrder> hits{};
  std::array<std::int64_t, kBleuOrder> totals{};
  std::int64_t hypothesis_tokens = 0;
  std::int64_t reference_tokens = 0;
};

/// A BLEU score and its parts. `score` has the scale of the program that is followed; precisions are in 0..1.
struct BleuScore {
  double score = 0.0;
  std::array<double, kBleuOrder> precisions{};
  double brevity_penalty = 1.0;
  BleuStatistics statistics;
};

/// BLEU of mteval, 0..1: lower-cased mteval-13a tokens, hits clipped by the largest count in any reference, the closest
/// reference length (tie: the shorter), exp(min(0, 1 - r/c)) times the geometric mean of four precisions. The k-th order
/// without hits counts 1/(2^k total) (perl); the twin puts floors under hits (1e-15) and totals (1e-9).
/// Throws Error if `corpus` is empty.
[[nodiscard]] BleuScore mteval_bleu(const Corpus& corpus, MtevalProgram program);

/// BLEU of Moses' multi-bleu.perl, 0..100: tokens at white space, no smoothing, an empty reference counts as one of length
/// 0. `lowercase` is its option -lc (ASCII letters). Throws Error if `corpus` is empty.
[[nodiscard]] BleuScore multi_bleu(const Corpus& corpus, bool lowercase);

/// The line that multi-bleu.perl prints.
[[nodiscard]] std::string multi_bleu_line(const BleuScore& score);

/// Tokenisers of sacreBLEU that need no model.
enum class SacreTokenizer : std::uint8_t { mteval_13a, international, none };

/// How an order without hits counts: 1/(2^k total) for the k-th such order; 0.1/total; hits and totals of orders above 1
/// plus one; not at all (the score is 0).
enum class BleuSmoothing : std::uint8_t { exponential, floor, add_one, none };

/// Options of sacreBLEU with its defaults.
struct SacreBleuOptions {
  SacreTokenizer tokenizer = SacreTokenizer::mteval_13a;
  BleuSmoothing smoothing = BleuSmoothing::exponential;
  bool lowercase = false;
  /// Averages only over the orders that have n-grams at all (for single sentences).
  bool effective_order = false;
};

/// BLEU of sacreBLEU, 0..100. Throws Error if `corpus` is empty.
[[nodiscard]] BleuScore sacre_bleu(const Corpus& corpus, const SacreBleuOptions& options = {});

}  // namespace preamble::metrics
