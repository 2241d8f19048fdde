// How sums over many rows or elements are cut: parts are summed first, then added in their order. Functions of the true sizes alone, so
// that results depend on nothing else.
#pragma once

#include <cstdint>

namespace preamble::cuda {

/// Parts of the sum of all elements of a value.
inline constexpr std::int64_t kElementParts = 256;

/// Parts of the sums of rows.
inline constexpr std::int64_t kRowParts = 128;

/// Parts of the sums of rows in `norm_grad`, each by a block.
inline constexpr std::int64_t kNormParts = 512;

/// Most rows of the table that `scatter_add_rows` fills by sums over parts of the rows.
inline constexpr std::int64_t kFewRows = 16;

/// Elements of a tensor that a block updates, where elements are independent.
inline constexpr std::int64_t kListBlock = 8192;

/// Blocks of a tensor of so many elements.
[[nodiscard]] constexpr std::int64_t list_blocks(std::int64_t elements) noexcept { return (elements + kListBlock - 1) / kListBlock; }

/// Scratch regions start at multiples of this.
[[nodiscard]] constexpr std::int64_t scratch_bytes(std::int64_t bytes) noexcept { return (bytes + 255) / 256 * 256; }

}  // namespace preamble::cuda
