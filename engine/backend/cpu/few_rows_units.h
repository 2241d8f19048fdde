// Products of a few rows with matrices [K, N] whose numbers are made in registers: the same bits for every type of the same numbers.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <cstdint>

#include "engine/backend/cpu/block.h"
#include "engine/core/decode_group.h"
#include "engine/core/stored_matrix.h"

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

/// The numbers of columns [column, column + kUnitColumns) of a row: those of `decode_row`.
template <Dtype type>
[[gnu::always_inline]] inline void make_unit(const StoredMatrix& w, std::int64_t row, std::int64_t column, UnitVector* to) noexcept {
  const std::byte* values = w.row(row);
  if constexpr (type == Dtype::f32) {
    for (int v = 0; v < kVectors; ++v) to[v] = load_vector(reinterpret_cast<const float*>(values) + column + v * kVectorFloats);
  } else if constexpr (type == Dtype::bf16) {
    for (int v = 0; v < kVectors; ++v) to[v] = load_bf16(values + 2 * (column + v * kVectorFloats));
  } else if constexpr (type == Dtype::int8_rows) {
    const UnitVector scale = same(w.scales[row * w.row_scales]);
    for (int v = 0; v < kVectors; ++v) to[v] = times(scale, load_int8(values + column + v * kVectorFloats));
  } else if constexpr (type == Dtype::int8_columns) {
    for (int v = 0; v < kVectors; ++v)
      to[v] = times(load_vector(w.scales + column + v * kVectorFloats), load_int8(values + column + v * kVectorFloats));
  } else {
    float numbers[kUnitColumns];
    const float scale = w.scales[row * w.row_scales + column / w.group];
    if constexpr (type == Dtype::int4_32 || type == Dtype::int4_64) {
      decode_int4(values + column / 2, scale, static_cast<float*>(numbers));
    } else {
      decode_nf4(values + column / 2, scale, static_cast<float*>(numbers));
    }
    for (int v = 0; v < kVectors; ++v) to[v] = load_vector(numbers + v * kVectorFloats);
  }
}

/// y[r, i] += Σ_j x[r, j] w[j, i] for kRows rows, kUnitRows rows of w from `k` on, and columns [first, first + count).
template <Dtype type, int kRows>
void add_units(const StoredMatrix& w, std::int64_t k, Block<const float> x, Block<float> y, std::int64_t first,
               std::int64_t count) noexcept {
  for (std::int64_t i = first; i < first + count; i += kUnitColumns) {
    UnitVector sums[kRows][kVectors];
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) sums[r][v] = load_vector(y.data + r * y.stride + i + v * kVectorFloats);
    }
#pragma GCC unroll 8
    for (std::int64_t j = 0; j < kUnitRows; ++j) {
      UnitVector numbers[kVectors];
      make_unit<type>(w, k + j, i, static_cast<UnitVector*>(numbers));
      for (int r = 0; r < kRows; ++r) {
        const UnitVector factor = same(x.data[r * x.stride + k + j]);
        for (int v = 0; v < kVectors; ++v) sums[r][v] = add_product(factor, numbers[v], sums[r][v]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) store_vector(y.data + r * y.stride + i + v * kVectorFloats, sums[r][v]);
    }
  }
}

template <Dtype type>
void add_units(const StoredMatrix& w, std::int64_t k, std::int64_t rows, Block<const float> x, Block<float> y, std::int64_t first,
               std::int64_t count) noexcept {
  std::int64_t r = 0;
  for (; r + kRowsAUnit <= rows; r += kRowsAUnit) {
    add_units<type, kRowsAUnit>(w, k, {x.data + r * x.stride, x.stride}, {y.data + r * y.stride, y.stride}, first, count);
  }
  for (; r < rows; ++r) add_units<type, 1>(w, k, {x.data + r * x.stride, x.stride}, {y.data + r * y.stride, y.stride}, first, count);
}

/// Calls body.operator()<type>() if numbers of this type are made in registers.
template <class Body>
[[nodiscard]] bool with_unit_type(Dtype type, const Body& body) noexcept {
  switch (type) {
    case Dtype::f32: return body.template operator()<Dtype::f32>(), true;
    case Dtype::bf16: return body.template operator()<Dtype::bf16>(), true;
    case Dtype::int8_rows: return body.template operator()<Dtype::int8_rows>(), true;
    case Dtype::int8_columns: return body.template operator()<Dtype::int8_columns>(), true;
    case Dtype::int4_32:
    case Dtype::int4_64: return body.template operator()<Dtype::int4_32>(), true;
    case Dtype::nf4_32:
    case Dtype::nf4_64: return body.template operator()<Dtype::nf4_32>(), true;
    default: return false;
  }
}

/// The same for any number of rows. False: matrices of this type are not made in registers, and nothing was added.
[[nodiscard]] inline bool add_units(const StoredMatrix& w, std::int64_t k, std::int64_t rows, Block<const float> x, Block<float> y,
                                    std::int64_t first, std::int64_t count) noexcept {
  return with_unit_type(w.dtype, [&]<Dtype type>() { add_units<type>(w, k, rows, x, y, first, count); });
}

/// sums[r] += Σ_i x[r, k + i] w[n, k + i] for kRows rows and i < count, a multiple of two units: in the order of `wide_dot`.
template <Dtype type, int kRows>
void add_dots(const StoredMatrix& w, std::int64_t n, std::int64_t k, std::int64_t count, Block<const float> x, float* sums) noexcept {
  constexpr int kParts = 2 * kVectors, kLanes = 16, kHalves = kLanes / kVectorFloats;
  UnitVector parts[kRows][kParts];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kParts; ++v) parts[r][v] = same(0);
  }
  for (std::int64_t i = k; i < k + count; i += 2 * kUnitColumns) {
    UnitVector numbers[kParts];
    make_unit<type>(w, n, i, static_cast<UnitVector*>(numbers));
    make_unit<type>(w, n, i + kUnitColumns, numbers + kVectors);
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kParts; ++v) {
        parts[r][v] = add_product(load_vector(x.data + r * x.stride + i + v * kVectorFloats), numbers[v], parts[r][v]);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    float lanes[kLanes];
    const UnitVector* p = parts[r];
    for (int h = 0; h < kHalves; ++h) {
      store_vector(lanes + h * kVectorFloats, plus(plus(p[h], p[h + kHalves]), plus(p[h + 2 * kHalves], p[h + 3 * kHalves])));
    }
    float sum = 0;
    for (const float lane : lanes) sum += lane;
    sums[r] += sum;
  }
}

template <Dtype type>
void add_dots(const StoredMatrix& w, std::int64_t n, std::int64_t k, std::int64_t count, std::int64_t rows, Block<const float> x,
              float* sums) noexcept {
  std::int64_t r = 0;
  for (; r + kRowsAUnit <= rows; r += kRowsAUnit) add_dots<type, kRowsAUnit>(w, n, k, count, {x.data + r * x.stride, x.stride}, sums + r);
  for (; r < rows; ++r) add_dots<type, 1>(w, n, k, count, {x.data + r * x.stride, x.stride}, sums + r);
}

/// The same for any number of rows. False: matrices of this type are not made in registers, and nothing was added.
[[nodiscard]] inline bool add_dots(const StoredMatrix& w, std::int64_t n, std::int64_t k, std::int64_t count, std::int64_t rows,
                                   Block<const float> x, float* sums) noexcept {
  return with_unit_type(w.dtype, [&]<Dtype type>() { add_dots<type>(w, n, k, count, rows, x, sums); });
}

}  // namespace preamble::PREAMBLE_ISA

#endif
