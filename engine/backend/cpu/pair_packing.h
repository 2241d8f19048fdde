// Numbers of bf16 in the order that products of bf16 read: pairs of k of sixteen columns (`Bf16Panel`).
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "engine/backend/cpu/bf16_engine.h"
#include "engine/backend/cpu/round_row.h"

namespace preamble::PREAMBLE_ISA {

/// to[j, i] = from[i, j] for 16 x 16 words; a row has `from_stride` or `to_stride` words.
inline void transpose_tile(const std::uint32_t* from, std::int64_t from_stride, std::uint32_t* to, std::int64_t to_stride) noexcept {
  constexpr int kSide = 16;
#ifdef __AVX512F__
  using Row [[gnu::vector_size(64)]] = std::uint32_t;
  Row rows[kSide];
  for (int i = 0; i < kSide; ++i) std::memcpy(&rows[i], from + i * from_stride, sizeof(Row));
  // squares of half the size change places: rows i and i + step hold the upper and the lower two of them
  const auto swap = [&]<int step, int... lane>(std::integral_constant<int, step>, std::integer_sequence<int, lane...>) {
    constexpr Row kUpper = {static_cast<std::uint32_t>((lane & step) == 0 ? lane : kSide + lane - step)...};
    constexpr Row kLower = {static_cast<std::uint32_t>((lane & step) == 0 ? lane + step : kSide + lane)...};
#pragma GCC unroll 16
    for (int i = 0; i < kSide; ++i) {
      if ((i & step) != 0) continue;
      const Row upper = __builtin_shuffle(rows[i], rows[i + step], kUpper);
      rows[i + step] = __builtin_shuffle(rows[i], rows[i + step], kLower);
      rows[i] = upper;
    }
  };
  constexpr auto kLanes = std::make_integer_sequence<int, kSide>{};
  swap(std::integral_constant<int, 8>{}, kLanes);
  swap(std::integral_constant<int, 4>{}, kLanes);
  swap(std::integral_constant<int, 2>{}, kLanes);
  swap(std::integral_constant<int, 1>{}, kLanes);
  for (int i = 0; i < kSide; ++i) std::memcpy(to + i * to_stride, &rows[i], sizeof(Row));
#else
  for (int i = 0; i < kSide; ++i) {
    for (int j = 0; j < kSide; ++j) to[j * to_stride + i] = from[i * from_stride + j];
  }
#endif
}

/// Sixteen columns that lie as rows of pairs, `stride` pairs each, become `pairs` times sixteen pairs at `to`; `pairs` is a multiple of 16.
inline void pack_column_pairs(const std::uint32_t* columns, std::int64_t stride, std::int64_t pairs, std::uint32_t* to) noexcept {
  constexpr std::int64_t kGroup = cpu::Bf16Panel::kPacked;
  for (std::int64_t p = 0; p < pairs; p += kGroup) transpose_tile(columns + p, stride, to + p * kGroup, kGroup);
}

[[nodiscard]] inline std::uint32_t bits_of(BFloat16 x) noexcept { return x.bits; }
[[nodiscard]] inline std::uint32_t bits_of(float x) noexcept { return rounded(x).bits; }

/// Rows k and k + 1 of B, bf16 or float32, which is rounded; `count` columns (a multiple of 16): the pairs of each sixteen columns go to `to`, those
/// of the next sixteen `column` · 16 elements further on.
template <class Number>
void pack_row_pair(const Number* even, const Number* odd, std::int64_t count, BFloat16* to, std::int64_t column) noexcept {
  constexpr std::int64_t kGroup = cpu::Bf16Panel::kPacked;
  for (std::int64_t g = 0; g < count; g += kGroup) {
    auto* pairs = reinterpret_cast<std::uint32_t*>(to + g * column);
#pragma omp simd
    for (std::int64_t n = 0; n < kGroup; ++n) pairs[n] = bits_of(even[g + n]) | bits_of(odd[g + n]) << 16U;
  }
}

}  // namespace preamble::PREAMBLE_ISA
