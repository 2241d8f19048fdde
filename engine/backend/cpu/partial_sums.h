// How sums over many rows or elements are cut: parts are summed first, then added in their order, whatever the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

namespace preamble {

/// Elements of a part of `dot`.
inline constexpr std::int64_t kDotBlock = 1 << 14;

/// Most parts of the sums over rows in `norm_grad`.
inline constexpr std::int64_t kNormGradBlocks = 64;

/// Rows of such a part.
[[nodiscard]] constexpr std::int64_t norm_grad_block_rows(std::int64_t rows) noexcept {
  return std::max<std::int64_t>(16, (rows + kNormGradBlocks - 1) / kNormGradBlocks);
}

}  // namespace preamble
