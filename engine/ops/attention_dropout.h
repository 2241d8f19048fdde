// Dropout of attention probabilities.
#pragma once

#include <cstdint>

namespace preamble {

/// Behind the softmax, probability p_j of query row r and head h gets the factor m / (1 - rate), m = 0 with probability `rate`, else
/// 1 (Srivastava et al. 2014; in front of the values, as in Vaswani et al.'s code and transformers). Columns of prefixes are dropped
/// as any others.
///
/// m is half a word of Philox of the run's key, `stream`, the segment and position of r, h, and j, which counts the keys of the
/// prefix first: so it is the same forward and backward, for any tiles and threads, and for a row of a subset.
struct AttentionDropout {
  double rate = 0;           ///< in steps of 2⁻¹⁶; 0: none
  std::uint32_t stream = 0;  ///< nodes of one graph differ by it

  bool operator==(const AttentionDropout&) const = default;
};

}  // namespace preamble
