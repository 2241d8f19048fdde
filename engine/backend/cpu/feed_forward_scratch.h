// Chunks of the wide value of a feed-forward part, and the scratch memory of their kernels.
#pragma once

#include <algorithm>
#include <cstdint>

namespace preamble {

/// The scratch memory of both kernels: weights of a chunk of columns of the wide value, where they are stored in another type, then the
/// chunk itself, [rows, columns], once or twice. Sizes in elements.
struct FeedForwardScratch {
  /// Most columns of a chunk: enough for fast products. Chunks begin at multiples of what a byte of a mask holds.
  static constexpr std::int64_t kMost = 512, kUnit = 16;

  std::int64_t columns = 0;  ///< of a chunk; the last one may have fewer
  std::int64_t first_weight = 0, second_weight = 0;
  std::int64_t chunk = 0;

  /// For a wide value [rows, width] between `in` and `out` columns.
  [[nodiscard]] static constexpr FeedForwardScratch of(std::int64_t rows, std::int64_t in, std::int64_t width, std::int64_t out,
                                                       bool converts_first, bool converts_second) noexcept {
    const std::int64_t chunks = std::max<std::int64_t>(1, (width + kMost - 1) / kMost);
    FeedForwardScratch s;
    s.columns = ((width + chunks - 1) / chunks + kUnit - 1) / kUnit * kUnit;
    s.first_weight = converts_first ? s.columns * in : 0;
    s.second_weight = converts_second ? s.columns * out : 0;
    s.chunk = rows * s.columns;
    return s;
  }
};

}  // namespace preamble
