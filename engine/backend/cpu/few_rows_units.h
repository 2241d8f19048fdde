// Numbers of stored matrices, made in registers a unit of columns at a time, for products of a few rows.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <cstdint>

#include "engine/core/decode_group.h"
#include "engine/core/dtype.h"

namespace preamble::PREAMBLE_ISA {

/// Columns that are made at a time, and rows of w that are added to the outputs at a time.
inline constexpr std::int64_t kUnitColumns = 32, kUnitRows = 8;

}  // namespace preamble::PREAMBLE_ISA

#if defined(__AVX2__) && defined(__FMA__)

#include <immintrin.h>

namespace preamble::PREAMBLE_ISA {

#ifdef __AVX512F__
using UnitVector = __m512;
/// Rows of x that share the numbers of w.
inline constexpr int kRowsAUnit = 4;
[[gnu::always_inline]] inline UnitVector load_vector(const float* x) noexcept { return _mm512_loadu_ps(x); }
[[gnu::always_inline]] inline void store_vector(float* x, UnitVector v) noexcept { _mm512_storeu_ps(x, v); }
[[gnu::always_inline]] inline UnitVector same(float x) noexcept { return _mm512_set1_ps(x); }
[[gnu::always_inline]] inline UnitVector times(UnitVector a, UnitVector b) noexcept { return _mm512_mul_ps(a, b); }
[[gnu::always_inline]] inline UnitVector plus(UnitVector a, UnitVector b) noexcept { return _mm512_add_ps(a, b); }
[[gnu::always_inline]] inline UnitVector add_product(UnitVector a, UnitVector b, UnitVector sum) noexcept {
  return _mm512_fmadd_ps(a, b, sum);
}
[[gnu::always_inline]] inline UnitVector load_bf16(const std::byte* from) noexcept {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
[[gnu::always_inline]] inline UnitVector load_int8(const std::byte* from) noexcept {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}
#else
using UnitVector = __m256;
inline constexpr int kRowsAUnit = 2;
[[gnu::always_inline]] inline UnitVector load_vector(const float* x) noexcept { return _mm256_loadu_ps(x); }
[[gnu::always_inline]] inline void store_vector(float* x, UnitVector v) noexcept { _mm256_storeu_ps(x, v); }
[[gnu::always_inline]] inline UnitVector same(float x) noexcept { return _mm256_set1_ps(x); }
[[gnu::always_inline]] inline UnitVector times(UnitVector a, UnitVector b) noexcept { return _mm256_mul_ps(a, b); }
[[gnu::always_inline]] inline UnitVector plus(UnitVector a, UnitVector b) noexcept { return _mm256_add_ps(a, b); }
[[gnu::always_inline]] inline UnitVector add_product(UnitVector a, UnitVector b, UnitVector sum) noexcept {
  return _mm256_fmadd_ps(a, b, sum);
}
[[gnu::always_inline]] inline UnitVector load_bf16(const std::byte* from) noexcept {
  const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
[[gnu::always_inline]] inline UnitVector load_int8(const std::byte* from) noexcept {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}
#endif

inline constexpr int kVectorFloats = sizeof(UnitVector) / sizeof(float), kVectors = kUnitColumns / kVectorFloats;

/// Columns that share a scale, where a row has several.
template <Dtype type>
inline constexpr std::int64_t kScaleColumns = type == Dtype::int4_64 || type == Dtype::nf4_64 ? 64 : kUnitColumns;

/// Bytes of the values of a unit.
template <Dtype type>
[[nodiscard]] constexpr std::int64_t unit_bytes() noexcept {
  switch (type) {
    case Dtype::f32: return 4 * kUnitColumns;
    case Dtype::bf16: return 2 * kUnitColumns;
    case Dtype::int8_rows:
    case Dtype::int8_columns: return kUnitColumns;
    case Dtype::q8_0: return kUnitColumns + 2;
    case Dtype::q4_0: return kUnitColumns / 2 + 2;
    default: return kUnitColumns / 2;
  }
}

/// How far a unit's scales lie behind those of the row's first.
template <Dtype type>
[[nodiscard, gnu::always_inline]] inline std::int64_t scales_before(std::int64_t column) noexcept {
  if constexpr (type == Dtype::int8_columns) return column;
  if constexpr (type == Dtype::int8_rows) return 0;
  return column / kScaleColumns<type>;
}

/// The numbers of a unit: those of `decode_row`. `scales`: what its values are multiplied by, where they do not hold that themselves.
/// Without kScaled, those of int8 types are not multiplied: a sum or a factor is, once for all of them.
template <Dtype type, bool kScaled = true>
[[gnu::always_inline]] inline void make_unit(const std::byte* values, const float* scales, UnitVector* to) noexcept {
  if constexpr (type == Dtype::f32) {
    for (int v = 0; v < kVectors; ++v) to[v] = load_vector(reinterpret_cast<const float*>(values) + v * kVectorFloats);
  } else if constexpr (type == Dtype::bf16) {
    for (int v = 0; v < kVectors; ++v) to[v] = load_bf16(values + 2 * v * kVectorFloats);
  } else if constexpr (!kScaled && (type == Dtype::int8_rows || type == Dtype::int8_columns)) {
    for (int v = 0; v < kVectors; ++v) to[v] = load_int8(values + v * kVectorFloats);
  } else if constexpr (type == Dtype::int8_rows) {
    const UnitVector scale = same(*scales);
    for (int v = 0; v < kVectors; ++v) to[v] = times(scale, load_int8(values + v * kVectorFloats));
  } else if constexpr (type == Dtype::int8_columns) {
    for (int v = 0; v < kVectors; ++v) to[v] = times(load_vector(scales + v * kVectorFloats), load_int8(values + v * kVectorFloats));
  } else if constexpr (type == Dtype::q8_0) {
    const UnitVector scale = same(half_at(values));
    for (int v = 0; v < kVectors; ++v) to[v] = times(scale, load_int8(values + 2 + v * kVectorFloats));
  } else if constexpr (type == Dtype::q4_0) {
    look_up_group(values + 2, half_at(values), static_cast<const float*>(kInt4), to);
  } else {
    constexpr bool kSymmetric = type == Dtype::int4_32 || type == Dtype::int4_64;
    look_up_group(values, *scales, kSymmetric ? static_cast<const float*>(kInt4) : static_cast<const float*>(kNf4), to);
  }
}

/// Calls body.operator()<type>() if numbers of this type are made in registers.
template <class Body>
[[nodiscard]] bool with_unit_type(Dtype type, const Body& body) noexcept {
  switch (type) {
    case Dtype::f32: return body.template operator()<Dtype::f32>(), true;
    case Dtype::bf16: return body.template operator()<Dtype::bf16>(), true;
    case Dtype::int8_rows: return body.template operator()<Dtype::int8_rows>(), true;
    case Dtype::int8_columns: return body.template operator()<Dtype::int8_columns>(), true;
    case Dtype::int4_32: return body.template operator()<Dtype::int4_32>(), true;
    case Dtype::int4_64: return body.template operator()<Dtype::int4_64>(), true;
    case Dtype::nf4_32: return body.template operator()<Dtype::nf4_32>(), true;
    case Dtype::nf4_64: return body.template operator()<Dtype::nf4_64>(), true;
    case Dtype::q8_0: return body.template operator()<Dtype::q8_0>(), true;
    case Dtype::q4_0: return body.template operator()<Dtype::q4_0>(), true;
    default: return false;
  }
}

}  // namespace preamble::PREAMBLE_ISA

#endif
