// NIST, the information-weighted n-gram score of mteval.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "data/metrics/corpus.h"
#include "data/metrics/mteval_tokens.h"

namespace preamble::metrics {

/// Highest order of n-grams that NIST counts.
inline constexpr std::size_t kNistOrder = 5;

/// A NIST score and its parts, summed over a corpus. Index n-1 is order n.
struct NistScore {
  double score = 0.0;
  std::array<std::int64_t, kNistOrder> hits{};
  std::array<std::int64_t, kNistOrder> totals{};
  std::array<double, kNistOrder> information{};
  double reference_length = 0.0;
  double length_penalty = 1.0;
};

/// NIST (Doddington 2002) as mteval has it:  penalty · Σ_n (Σ_hits info) / total_n,  n = 1..5, on lower-cased mteval tokens.
///
///   info(w1..wn) = log2(count(w1..w(n-1)) / count(w1..wn)), counts over the references of all instances; the count of the
///   empty n-gram is the number of reference tokens
///   penalty = exp(-β ln²(c/r)) for c < r, with β such that it is 1/2 at c/r = 2/3
///   r (perl) = reference tokens / mean number of non-empty references; r (python) = Σ mean reference length of an instance
///
/// Throws Error if `corpus` is empty.
[[nodiscard]] NistScore nist(const Corpus& corpus, MtevalProgram program);

}  // namespace preamble::metrics
