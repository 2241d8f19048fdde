// How much of a weight that is stored in another type is converted at a time: planned as scratch memory, and used by the kernel.
#pragma once

#include <algorithm>
#include <cstdint>

namespace preamble::cpu {

/// Rows of a stored weight [rows, width] that are converted at a time: about a million elements.
[[nodiscard]] constexpr std::int64_t converted_rows(std::int64_t rows, std::int64_t width) noexcept {
  constexpr std::int64_t kElements = 1 << 20;
  return std::clamp<std::int64_t>(kElements / std::max<std::int64_t>(width, 1), 1, std::max<std::int64_t>(rows, 1));
}

}  // namespace preamble::cpu
