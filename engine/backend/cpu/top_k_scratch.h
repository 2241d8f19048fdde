// The scratch memory of `top_k`.
#pragma once

#include <cstdint>

namespace preamble {

/// A row has a bit for each entry, set if it is asked for, and the best entries so far. Bytes.
struct TopKScratch {
  std::int64_t marks = 0;  ///< 0 if nothing is asked for
  std::int64_t best = 0;

  [[nodiscard]] constexpr std::int64_t row() const noexcept { return marks + best; }

  /// For the k best of V entries; `element`: bytes of a score.
  [[nodiscard]] static constexpr TopKScratch of(std::int64_t vocabulary, std::int64_t k, bool asks, std::int64_t element) noexcept {
    // a score and its index, padded to the alignment of the score
    return {asks ? (vocabulary + 63) / 64 * 8 : 0, (k * 2 * element + 7) / 8 * 8};
  }
};

}  // namespace preamble
