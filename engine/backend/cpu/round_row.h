// Numbers rounded to bf16.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "engine/core/decode_row.h"

namespace preamble::PREAMBLE_ISA {

/// The nearest bf16, ties to even; NaN stays NaN.
[[nodiscard, gnu::always_inline]] inline BFloat16 rounded(float x) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t near = bits + 0x7FFFU + ((bits >> 16U) & 1U);
  const bool nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  return {static_cast<std::uint16_t>((nan ? bits | 0x400000U : near) >> 16U)};
}

/// What a kernel computes with numbers of type T in.
template <class T>
using Computed = std::conditional_t<std::is_same_v<T, BFloat16>, float, T>;

/// A result as a number of type T.
template <class T>
[[nodiscard, gnu::always_inline]] inline T narrowed(Computed<T> x) noexcept {
  if constexpr (std::is_same_v<T, BFloat16>) {
    return rounded(x);
  } else {
    return x;
  }
}

/// to[i] = from[i], rounded
inline void round_row(const float* from, BFloat16* to, std::int64_t n) noexcept {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) to[i] = rounded(from[i]);
}

/// Elements [first, first + count) of a row of a stored matrix as bf16, 256 at most.
inline void decode_bf16(const StoredMatrix& w, std::int64_t row, std::int64_t first, std::int64_t count, BFloat16* to) noexcept {
  if (w.dtype == Dtype::bf16) {
    std::memcpy(to, reinterpret_cast<const BFloat16*>(w.row(row)) + first, static_cast<std::size_t>(count) * sizeof(BFloat16));
    return;
  }
  float numbers[256];
  decode_row(w, row, first, count, static_cast<float*>(numbers));
  round_row(numbers, to, count);
}

}  // namespace preamble::PREAMBLE_ISA
