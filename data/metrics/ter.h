// TER, the translation edit rate.
#pragma once

#include <cstdint>

#include "data/metrics/corpus.h"
#include "data/metrics/ngrams.h"

namespace preamble::metrics {

/// Options of TER; tercom and sacreBLEU lower-case by default.
struct TerOptions {
  bool case_sensitive = false;
};

/// Edits and reference length of a corpus; `score` = 100 · edits / reference_length.
struct TerScore {
  double score = 0.0;
  std::int64_t edits = 0;
  double reference_length = 0.0;
};

/// Insertions, deletions, substitutions and block shifts that turn `hypothesis` into `reference` (Snover et al. 2006).
/// Shifts are searched greedily with tercom's limits: blocks of at most 10 words over at most 50 positions, a beam of 25
/// round the diagonal of the edit distance, at most 1000 tried shifts.
[[nodiscard]] std::int64_t translation_edits(const Tokens& hypothesis, const Tokens& reference);

/// TER as sacreBLEU computes it (after tercom 0.7.25), on tokens between white space: fewest edits over the references, divided by their
/// mean length, both summed over the corpus. Throws Error if `corpus` is empty.
[[nodiscard]] TerScore ter(const Corpus& corpus, const TerOptions& options = {});

}  // namespace preamble::metrics
