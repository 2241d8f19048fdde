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

#if defined(__AVX2__) && !defined(__AVX512F__)
/// to[i] = number(code i) of 16 codes, a byte each.
template <class Number>
[[gnu::always_inline]] inline void decode_codes(__m128i codes, float* to, const Number& number) noexcept {
  _mm256_storeu_ps(to, number(_mm256_cvtepi8_epi32(codes)));
  _mm256_storeu_ps(to + 8, number(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(codes, codes))));
}

/// The same for the codes in the low and then in the high halves of 16 bytes.
template <class Number>
[[gnu::always_inline]] inline void decode_halves(const std::byte* from, float* to, const Number& number) noexcept {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)), low = _mm_set1_epi8(15);
  decode_codes(_mm_and_si128(bytes, low), to, number);
  decode_codes(_mm_and_si128(_mm_srli_epi16(bytes, 4), low), to + 16, number);
}
#endif

/// to[i] = scale · number i of a group of 32 4-bit numbers.
template <class T>
[[gnu::always_inline]] inline void decode_int4(const std::byte* from, float scale, T* to) noexcept {
#ifdef __AVX512F__
  if constexpr (std::is_same_v<T, float>) {
    const __m512i codes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    const __m512i middle = _mm512_set1_epi32(8), low = _mm512_and_si512(codes, _mm512_set1_epi32(15)), high = _mm512_srli_epi32(codes, 4);
    const __m512 factor = _mm512_set1_ps(scale);
    _mm512_storeu_ps(to, _mm512_mul_ps(factor, _mm512_cvtepi32_ps(_mm512_sub_epi32(low, middle))));
    _mm512_storeu_ps(to + 16, _mm512_mul_ps(factor, _mm512_cvtepi32_ps(_mm512_sub_epi32(high, middle))));
    return;
  }
#elif defined(__AVX2__)
  if constexpr (std::is_same_v<T, float>) {
    const __m256 factor = _mm256_set1_ps(scale);
    const __m256i middle = _mm256_set1_epi32(8);
    decode_halves(from, to, [&](__m256i code) { return _mm256_mul_ps(factor, _mm256_cvtepi32_ps(_mm256_sub_epi32(code, middle))); });
    return;
  }
#endif
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(from);
#pragma omp simd
  for (int i = 0; i < 16; ++i) to[i] = static_cast<T>(scale * static_cast<float>((bytes[i] & 15) - 8));
#pragma omp simd
  for (int i = 0; i < 16; ++i) to[16 + i] = static_cast<T>(scale * static_cast<float>((bytes[i] >> 4) - 8));
}

template <class T>
[[gnu::always_inline]] inline void decode_nf4(const std::byte* from, float scale, T* to) noexcept {
#ifdef __AVX512F__
  if constexpr (std::is_same_v<T, float>) {
    const __m512i codes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    const __m512 numbers = _mm512_loadu_ps(kNf4), factor = _mm512_set1_ps(scale);
    // a permutation reads the low four bits alone
    _mm512_storeu_ps(to, _mm512_mul_ps(factor, _mm512_permutexvar_ps(codes, numbers)));
    _mm512_storeu_ps(to + 16, _mm512_mul_ps(factor, _mm512_permutexvar_ps(_mm512_srli_epi32(codes, 4), numbers)));
    return;
  }
#elif defined(__AVX2__)
  if constexpr (std::is_same_v<T, float>) {
    const __m256 below = _mm256_loadu_ps(kNf4), above = _mm256_loadu_ps(kNf4 + 8), factor = _mm256_set1_ps(scale);
    decode_halves(from, to, [&](__m256i code) {
      // a permutation reads the low three bits, the fourth chooses the table
      const __m256 number = _mm256_blendv_ps(_mm256_permutevar8x32_ps(below, code), _mm256_permutevar8x32_ps(above, code),
                                             _mm256_castsi256_ps(_mm256_slli_epi32(code, 28)));
      return _mm256_mul_ps(factor, number);
    });
    return;
  }
#endif
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(from);
#pragma omp simd
  for (int i = 0; i < 16; ++i) to[i] = static_cast<T>(scale * kNf4[bytes[i] & 15]);
#pragma omp simd
  for (int i = 0; i < 16; ++i) to[16 + i] = static_cast<T>(scale * kNf4[bytes[i] >> 4]);
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
