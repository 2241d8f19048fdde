// Scratch memory of a product of bf16 numbers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/bf16_engine.h"

namespace preamble::cpu {

/// A block of packed columns, and the rows of A where they are not bf16 already or k must be padded. Sizes in elements of bf16.
struct Bf16Scratch {
  /// Elements of packed columns and of rows that a task multiplies with each other at a time: they share the second-level cache.
  static constexpr std::int64_t kTogether = 1 << 17, kGroup = 1 << 18;

  std::int64_t depth = 0;    ///< k, padded
  std::int64_t columns = 0;  ///< of a block, padded
  std::int64_t packed = 0;
  std::int64_t rows = 0;  ///< of A, padded in depth; 0 where they are read where they lie

  /// For A [rows, k] and n columns.
  [[nodiscard]] static constexpr Bf16Scratch of(std::int64_t rows, std::int64_t k, std::int64_t n, bool converts) noexcept {
    constexpr std::int64_t kMost = 1 << 20, kUnit = Bf16Panel::kColumns;
    const auto padded = [](std::int64_t count, std::int64_t unit) { return (count + unit - 1) / unit * unit; };
    Bf16Scratch s;
    s.depth = padded(k, Bf16Panel::kDepth);
    s.columns = std::clamp(kMost / std::max<std::int64_t>(s.depth, 1) / kUnit * kUnit, kUnit, std::max(padded(n, kUnit), kUnit));
    s.packed = s.columns * s.depth;
    if (converts || s.depth != k) s.rows = rows * s.depth;
    return s;
  }

  [[nodiscard]] constexpr std::int64_t bytes() const noexcept { return (packed + rows) * static_cast<std::int64_t>(sizeof(BFloat16)); }
};

}  // namespace preamble::cpu
