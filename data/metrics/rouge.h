// ROUGE for summaries, and the ROUGE-L of the caption metrics.
#pragma once

#include <cstdint>
#include <string_view>

#include "data/metrics/corpus.h"
#include "data/metrics/ngrams.h"

namespace preamble::metrics {

/// Precision, recall and their harmonic mean, 0..1.
struct RougeScore {
  double precision = 0.0;
  double recall = 0.0;
  double f1 = 0.0;
};

/// The ROUGE types that summaries are judged by.
struct RougeScores {
  RougeScore rouge1;
  RougeScore rouge2;
  RougeScore rouge_l;
  RougeScore rouge_lsum;
};

/// Stemming of tokens longer than three characters: rouge_score's (`nltk`) or the published algorithm's (`original`).
enum class RougeStemming : std::uint8_t { none, nltk, original };

/// Tokens of rouge_score: lower case, every run of characters other than a-z and 0-9 is a separator.
[[nodiscard]] Tokens rouge_tokens(std::string_view text, RougeStemming stemming);

/// rouge_score of one pair. ROUGE-n: clipped n-gram overlap. ROUGE-L: longest common subsequence of the whole texts.
/// ROUGE-Lsum: for every sentence (line) of the reference the union of its common subsequences with the sentences of the
/// candidate, each token counted at most as often as it occurs in either text (Lin 2004, section 3.2).
[[nodiscard]] RougeScores rouge(std::string_view reference, std::string_view candidate, RougeStemming stemming);

/// Mean of `rouge` over a corpus, by the best F of each type where there are several references. " . " becomes " .\n" in
/// both texts, so that sentences are lines (as T5 does it). The mean is plain; rouge_score's aggregator reports the median
/// of 1000 resampled means, which differs by some hundredths of a point from run to run. Throws Error if `corpus` is empty.
[[nodiscard]] RougeScores rouge(const Corpus& corpus, RougeStemming stemming);

/// ROUGE-L of the caption evaluation (E2E), 0..1: caption tokens; per instance the largest LCS precision and the largest
/// LCS recall over the references, each by itself; F with β = 1.2; mean. Throws Error if `corpus` is empty.
[[nodiscard]] double caption_rouge_l(const Corpus& corpus);

/// ROUGE-1, -2 and -L as the first version of the Python package `rouge` defines them: tokens between single spaces,
/// n-grams as sets, small constants in the denominators, F of ROUGE-L weighted by b = precision / recall. `rouge_lsum` is
/// left 0.
[[nodiscard]] RougeScores rouge_package(std::string_view reference, std::string_view candidate);

}  // namespace preamble::metrics
