// chrF, the F-score of character n-grams.
#pragma once

#include <cstddef>

#include "data/metrics/corpus.h"

namespace preamble::metrics {

/// Options of sacreBLEU's chrF with its defaults (chrF2); `word_order` 2 makes chrF2++.
struct ChrfOptions {
  std::size_t char_order = 6;
  std::size_t word_order = 0;
  /// How many times recall counts as much as precision.
  double beta = 2.0;
  bool lowercase = false;
};

/// chrF (Popović 2015) as sacreBLEU computes it, 0..100: n-grams of the characters without white space, and of the words
/// with a punctuation mark at one end split off; per instance the counts of the reference with the best F; over the
/// corpus the precisions and recalls of the orders that occur are averaged, then F_β.
/// Throws Error if `corpus` is empty, ConfigError if both orders are 0.
[[nodiscard]] double chrf(const Corpus& corpus, const ChrfOptions& options = {});

}  // namespace preamble::metrics
