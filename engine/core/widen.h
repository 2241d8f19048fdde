// Narrow floating numbers as float.
// Compiled once for each instruction set, and once for the loader: the including file says in which namespace.
#pragma once

#include <bit>
#include <cstdint>

#include "engine/core/dtype.h"

namespace preamble::PREAMBLE_ISA {

/// bf16 is the upper half of a float.
[[nodiscard, gnu::always_inline]] inline float widen(BFloat16 x) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}
/// binary16, without branches: a product moves the exponent to where a float has it, and is right for denormals, too.
[[nodiscard, gnu::always_inline]] inline float widen(Float16 x) noexcept {
  constexpr float kTwoTo112 = 0x1p112F;
  const auto bits = static_cast<std::uint32_t>(x.bits);
  const auto magnitude = std::bit_cast<std::uint32_t>(std::bit_cast<float>((bits & 0x7FFFU) << 13U) * kTwoTo112);
  const std::uint32_t special = (bits & 0x7C00U) == 0x7C00U ? 0x7F800000U : 0U;  // infinity, NaN
  return std::bit_cast<float>(magnitude | special | ((bits & 0x8000U) << 16U));
}
[[nodiscard, gnu::always_inline]] inline float widen(float x) noexcept { return x; }
[[nodiscard, gnu::always_inline]] inline double widen(double x) noexcept { return x; }

/// to[i] = from[i]
template <class From, class T>
inline void widen_row(const From* from, T* to, std::int64_t n) noexcept {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<T>(widen(from[i]));
}

}  // namespace preamble::PREAMBLE_ISA
