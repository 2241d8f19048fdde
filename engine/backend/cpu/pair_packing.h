// Numbers of bf16 in the order that products of bf16 read: pairs of k of sixteen columns (`Bf16Panel`).
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/bf16_engine.h"
#include "engine/backend/cpu/round_row.h"

namespace preamble::PREAMBLE_ISA {

/// Sixteen columns that lie as rows of pairs, `stride` pairs each, become `pairs` times sixteen pairs at `to`.
inline void pack_column_pairs(const std::uint32_t* columns, std::int64_t stride, std::int64_t pairs, std::uint32_t* to) noexcept {
  constexpr std::int64_t kGroup = cpu::Bf16Panel::kPacked;
  for (std::int64_t p = 0; p < pairs; ++p) {
    for (std::int64_t n = 0; n < kGroup; ++n) to[p * kGroup + n] = columns[n * stride + p];
  }
}

/// Rows k and k + 1 of B, `count` columns (a multiple of 16): the pairs of each sixteen columns go to `to`, those of the next sixteen `column` · 16
/// elements further on.
inline void pack_row_pair(const BFloat16* even, const BFloat16* odd, std::int64_t count, BFloat16* to, std::int64_t column) noexcept {
  constexpr std::int64_t kGroup = cpu::Bf16Panel::kPacked;
  for (std::int64_t g = 0; g < count; g += kGroup) {
    auto* pairs = reinterpret_cast<std::uint32_t*>(to + g * column);
#pragma omp simd
    for (std::int64_t n = 0; n < kGroup; ++n) {
      pairs[n] = static_cast<std::uint32_t>(even[g + n].bits) | static_cast<std::uint32_t>(odd[g + n].bits) << 16U;
    }
  }
}

/// As above for float32 numbers, which are rounded.
inline void pack_row_pair(const float* even, const float* odd, std::int64_t count, BFloat16* to, std::int64_t column) noexcept {
  constexpr std::int64_t kGroup = cpu::Bf16Panel::kPacked;
  for (std::int64_t g = 0; g < count; g += kGroup) {
    auto* pairs = reinterpret_cast<std::uint32_t*>(to + g * column);
#pragma omp simd
    for (std::int64_t n = 0; n < kGroup; ++n) {
      pairs[n] = static_cast<std::uint32_t>(rounded(even[g + n]).bits) | static_cast<std::uint32_t>(rounded(odd[g + n]).bits) << 16U;
    }
  }
}

}  // namespace preamble::PREAMBLE_ISA
