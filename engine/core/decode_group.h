// Groups of coded numbers of a quantised row, each as a whole.
// Compiled once for each instruction set, and once for the loader: the including file says in which namespace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "engine/core/widen.h"

namespace preamble::PREAMBLE_ISA {

/// The numbers of NF4: quantiles of a normal distribution, scaled to [-1, 1], with an exact zero.
inline constexpr float kNf4[16] = {-1.0F,
                                   -0.6961928009986877F,
                                   -0.5250730514526367F,
                                   -0.39491748809814453F,
                                   -0.28444138169288635F,
                                   -0.18477343022823334F,
                                   -0.09105003625154495F,
                                   0.0F,
                                   0.07958029955625534F,
                                   0.16093020141124725F,
                                   0.24611230194568634F,
                                   0.33791524171829224F,
                                   0.44070982933044434F,
                                   0.5626170039176941F,
                                   0.7229568362236023F,
                                   1.0F};

/// The numbers of symmetric 4-bit codes.
inline constexpr float kInt4[16] = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};

#ifdef __AVX2__
#ifdef __AVX512F__
using Numbers = __m512;
#else
using Numbers = __m256;
#endif
/// Registers that hold the 32 numbers of a group.
inline constexpr int kGroupRegisters = static_cast<int>(32 * sizeof(float) / sizeof(Numbers));

/// to = scale · table[code] of a group of 32 codes of 4 bits: those in the low halves of 16 bytes, then those in the high halves.
[[gnu::always_inline]] inline void look_up_group(const std::byte* from, float scale, const float* table, Numbers* to) noexcept {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
#ifdef __AVX512F__
  // one product for all numbers: a permutation of 16 floats reads the low four bits of a code alone
  const __m512 scaled = _mm512_mul_ps(_mm512_set1_ps(scale), _mm512_loadu_ps(table));
  const __m512i codes = _mm512_cvtepu8_epi32(bytes);
  to[0] = _mm512_permutexvar_ps(codes, scaled);
  to[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(codes, 4), scaled);
#else
  // a permutation of 8 floats reads the low three bits; the fourth chooses the table
  const __m256 factor = _mm256_set1_ps(scale);
  const __m256 below = _mm256_mul_ps(factor, _mm256_loadu_ps(table)), above = _mm256_mul_ps(factor, _mm256_loadu_ps(table + 8));
  const auto number = [&](__m256i code) {
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(below, code), _mm256_permutevar8x32_ps(above, code),
                            _mm256_castsi256_ps(_mm256_slli_epi32(code, 28)));
  };
  const __m256i first = _mm256_cvtepu8_epi32(bytes), second = _mm256_cvtepu8_epi32(_mm_unpackhi_epi64(bytes, bytes));
  to[0] = number(first);
  to[1] = number(second);
  to[2] = number(_mm256_srli_epi32(first, 4));
  to[3] = number(_mm256_srli_epi32(second, 4));
#endif
}
#endif

/// to[i] = scale · table[code i] of a group of 32 codes of 4 bits.
template <class T>
[[gnu::always_inline]] inline void decode_4_bits(const std::byte* from, float scale, const float* table, T* to) noexcept {
#ifdef __AVX2__
  if constexpr (std::is_same_v<T, float>) {
    Numbers numbers[kGroupRegisters];
    look_up_group(from, scale, table, static_cast<Numbers*>(numbers));
    for (int r = 0; r < kGroupRegisters; ++r) std::memcpy(to + r * 32 / kGroupRegisters, &numbers[r], sizeof(Numbers));
    return;
  }
#endif
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(from);
#pragma omp simd
  for (int i = 0; i < 16; ++i) to[i] = static_cast<T>(scale * table[bytes[i] & 15]);
#pragma omp simd
  for (int i = 0; i < 16; ++i) to[16 + i] = static_cast<T>(scale * table[bytes[i] >> 4]);
}

/// to[i] = scale · number i of a group of 32 4-bit numbers.
template <class T>
[[gnu::always_inline]] inline void decode_int4(const std::byte* from, float scale, T* to) noexcept {
  decode_4_bits(from, scale, static_cast<const float*>(kInt4), to);
}

template <class T>
[[gnu::always_inline]] inline void decode_nf4(const std::byte* from, float scale, T* to) noexcept {
  decode_4_bits(from, scale, static_cast<const float*>(kNf4), to);
}

[[nodiscard, gnu::always_inline]] inline float half_at(const std::byte* from) noexcept {
  Float16 x;
  std::memcpy(&x, from, sizeof x);
  return widen(x);
}

/// F16 d, int8 q[32]: d q
template <class T>
[[gnu::always_inline]] inline void decode_q8_0(const std::byte* from, T* to) noexcept {
  const float d = half_at(from);
  const auto* q = reinterpret_cast<const std::int8_t*>(from + 2);
#pragma omp simd
  for (int i = 0; i < 32; ++i) to[i] = static_cast<T>(d * static_cast<float>(q[i]));
}

/// F16 d, then a group of 32 4-bit numbers: d (q - 8)
template <class T>
[[gnu::always_inline]] inline void decode_q4_0(const std::byte* from, T* to) noexcept {
  decode_int4(from + 2, half_at(from), to);
}

/// F16 d, F16 m, 12 bytes with 8 scales and 8 minima of 6 bits, 128 bytes of 4-bit numbers: d scale q - m minimum, for 32 numbers each
template <class T>
inline void decode_q4_k(const std::byte* from, T* to) noexcept {
  const float d = half_at(from), m = half_at(from + 2);
  const auto* packed = reinterpret_cast<const std::uint8_t*>(from + 4);
  const auto* q = reinterpret_cast<const std::uint8_t*>(from + 16);
  for (int part = 0; part < 8; ++part) {
    // the first four lie in six bits of a byte; the others' upper two bits are what these left over
    const int scale = part < 4 ? packed[part] & 63 : (packed[part + 4] & 15) | (packed[part - 4] >> 6) << 4;
    const int minimum = part < 4 ? packed[part + 4] & 63 : packed[part + 4] >> 4 | (packed[part] >> 6) << 4;
    const float factor = d * static_cast<float>(scale), below = m * static_cast<float>(minimum);
    const int shift = part % 2 * 4;
    const std::uint8_t* bytes = q + part / 2 * 32;
#pragma omp simd
    for (int i = 0; i < 32; ++i) to[32 * part + i] = static_cast<T>(factor * static_cast<float>(bytes[i] >> shift & 15) - below);
  }
}

/// 128 bytes of low 4 bits, 64 of high 2 bits, int8 scales[16], F16 d: d scale (q - 32), for 16 numbers each
template <class T>
inline void decode_q6_k(const std::byte* from, T* to) noexcept {
  const auto* low = reinterpret_cast<const std::uint8_t*>(from);
  const auto* high = low + 128;
  const auto* scales = reinterpret_cast<const std::int8_t*>(from + 192);
  const float d = half_at(from + 208);
  for (int part = 0; part < 16; ++part) {
    // of each half of 128 numbers: 32 bytes hold two bits of each quarter, 64 bytes four bits of two quarters
    const int half = part / 8, quarter = part % 8 / 2, first = part % 2 * 16;
    const std::uint8_t* l = low + 64 * half + quarter % 2 * 32 + first;
    const std::uint8_t* h = high + 32 * half + first;
    const int low_shift = quarter / 2 * 4, high_shift = quarter * 2;
    const float factor = d * static_cast<float>(scales[part]);
#pragma omp simd
    for (int i = 0; i < 16; ++i) {
      const int q = (l[i] >> low_shift & 15) | (h[i] >> high_shift & 3) << 4;
      to[16 * part + i] = static_cast<T>(factor * static_cast<float>(q - 32));
    }
  }
}

}  // namespace preamble::PREAMBLE_ISA
