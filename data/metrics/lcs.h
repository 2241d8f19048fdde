// Longest common subsequences of token sequences.
#pragma once

#include <cstddef>
#include <vector>

#include "data/metrics/ngrams.h"

namespace preamble::metrics {

/// Length of the longest common subsequence.
[[nodiscard]] std::size_t lcs_length(const Tokens& a, const Tokens& b);

/// Ascending positions in `reference` of one longest common subsequence with `candidate`. Read back from the ends: a match
/// goes into it, otherwise the candidate steps back if its table entry is strictly larger, else the reference.
[[nodiscard]] std::vector<std::size_t> lcs_positions(const Tokens& reference, const Tokens& candidate);

}  // namespace preamble::metrics
