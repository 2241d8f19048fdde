// How `linear_cross_entropy` cuts its logits.
#pragma once

#include <algorithm>
#include <cstdint>

namespace preamble {

/// A function of the sizes alone, so that results do not depend on threads.
struct LossChunks {
  std::int64_t rows;        ///< of logits that exist at a time
  std::int64_t vocabulary;  ///< rows of w that are multiplied at a time: all of them unless they must be converted

  [[nodiscard]] static constexpr LossChunks of(std::int64_t rows, std::int64_t width, std::int64_t vocabulary, bool converted) noexcept {
    constexpr std::int64_t kMostLogits = 1 << 22, kFewestRows = 16, kMostConverted = 1 << 20;
    const std::int64_t chunk = std::min(rows, std::max(kFewestRows, kMostLogits / vocabulary));
    const std::int64_t block = std::max<std::int64_t>(1, kMostConverted / std::max<std::int64_t>(1, width));
    return {chunk, converted ? std::min(block, vocabulary) : vocabulary};
  }
};

}  // namespace preamble
