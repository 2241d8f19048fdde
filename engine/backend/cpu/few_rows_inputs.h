// Products of a few rows with matrices [K, N]: rows of the matrix are added to the outputs, where they lie.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include "engine/backend/cpu/few_rows_units.h"

#if defined(__AVX2__) && defined(__FMA__)

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/block.h"
#include "engine/backend/cpu/row_pointers.h"
#include "engine/core/stored_matrix.h"

namespace preamble::PREAMBLE_ISA {

/// Rows of w that units are made of, and what of them.
struct UnitPart {
  std::int64_t row = 0, rows = 0;  ///< kUnitRows of them, or one
  std::int64_t first = 0, columns = 0;  ///< multiples of units
};

/// y[r, i - first] += Σ_j x[r, j] w[j, i] for kRows rows and a part of w: w without its scales if its type is int8_columns.
template <Dtype type, int kRows>
void add_units(const StoredMatrix& w, const UnitPart& part, Block<const float> x, Block<float> y) noexcept {
  constexpr std::int64_t kLine = 64;
  // one row stands for all, and the others' factors are 0
  const bool whole = part.rows == kUnitRows;
  const std::int64_t bytes = unit_bytes<type>();
  cpu::RowPointers<kUnitRows> values(w.row(part.row) + part.first / kUnitColumns * bytes, whole ? w.row_bytes : 0);
  const float* first_scale = w.scales == nullptr ? nullptr : w.scales + part.row * w.row_scales;
  cpu::RowPointers<kUnitRows> scales(first_scale, whole ? w.row_scales * static_cast<std::int64_t>(sizeof(float)) : 0);
  float factors[kRows][kUnitRows] = {};
  for (int r = 0; r < kRows; ++r) {
    for (std::int64_t j = 0; j < part.rows; ++j) {
      factors[r][j] = x.data[r * x.stride + part.row + j];
      if constexpr (type == Dtype::int8_rows) factors[r][j] *= first_scale[j * w.row_scales];
    }
  }
  // of one row: in registers; of more: read again for each unit
  UnitVector own[kUnitRows];
  if constexpr (kRows == 1) {
    for (int j = 0; j < kUnitRows; ++j) own[j] = same(factors[0][j]);
  }
  const std::int64_t ahead = part.row + 2 * kUnitRows <= w.rows ? kUnitRows * w.row_bytes : 0;
  for (std::int64_t i = 0; i < part.columns; i += kUnitColumns) {
    UnitVector sums[kRows][kVectors];
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) sums[r][v] = load_vector(y.data + r * y.stride + i + v * kVectorFloats);
    }
#pragma GCC unroll 8
    for (int j = 0; j < kUnitRows; ++j) {
      UnitVector numbers[kVectors];
      // what fetches ahead by itself stops at the end of a page, and rows may be a page long
      if (i / kUnitColumns * bytes % kLine < bytes) __builtin_prefetch(values[j] + ahead, 0, 2);
      if constexpr (unit_bytes<type>() > kLine) __builtin_prefetch(values[j] + ahead + kLine, 0, 2);
      make_unit<type, false>(values[j], reinterpret_cast<const float*>(scales[j]) + scales_before<type>(part.first + i),
                             static_cast<UnitVector*>(numbers));
      for (int r = 0; r < kRows; ++r) {
        const UnitVector factor = kRows == 1 ? own[j] : same(factors[r][j]);
        for (int v = 0; v < kVectors; ++v) sums[r][v] = add_product(factor, numbers[v], sums[r][v]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) store_vector(y.data + r * y.stride + i + v * kVectorFloats, sums[r][v]);
    }
    values.advance(bytes);
  }
}

/// The same for any number of rows of x, and kUnitRows rows of w or fewer.
template <Dtype type>
void add_units(const StoredMatrix& w, const UnitPart& part, std::int64_t rows, Block<const float> x, Block<float> y) noexcept {
  if (part.rows > 1 && part.rows < kUnitRows) {
    for (std::int64_t j = 0; j < part.rows; ++j) add_units<type>(w, {part.row + j, 1, part.first, part.columns}, rows, x, y);
    return;
  }
  std::int64_t r = 0;
  for (; r + kRowsAUnit <= rows; r += kRowsAUnit) {
    add_units<type, kRowsAUnit>(w, part, {x.data + r * x.stride, x.stride}, {y.data + r * y.stride, y.stride});
  }
  for (; r < rows; ++r) add_units<type, 1>(w, part, {x.data + r * x.stride, x.stride}, {y.data + r * y.stride, y.stride});
}

/// y[r, i - first] += Σ_j x[r, j] w[j, i] for all rows j of w and columns [first, first + columns), multiples of units. `unscaled`: memory for
/// [rows, columns].
template <Dtype type>
void add_all_units(const StoredMatrix& w, std::int64_t first, std::int64_t columns, std::int64_t rows, Block<const float> x, Block<float> y,
                   float* unscaled) noexcept {
  constexpr bool kScaledSums = type == Dtype::int8_columns;
  const Block<float> sums = kScaledSums ? Block<float>{unscaled, columns} : y;
  if constexpr (kScaledSums) std::fill_n(unscaled, rows * columns, 0.0F);
  for (std::int64_t k = 0; k < w.rows; k += kUnitRows) {
    add_units<type>(w, {k, std::min(kUnitRows, w.rows - k), first, columns}, rows, x, sums);
  }
  if constexpr (kScaledSums) {
    for (std::int64_t r = 0; r < rows; ++r) {
#pragma omp simd
      for (std::int64_t i = 0; i < columns; ++i) y.data[r * y.stride + i] += w.scales[first + i] * unscaled[r * columns + i];
    }
  }
}

/// The same for any type. False: matrices of this type are not made in registers, and nothing was added.
[[nodiscard]] inline bool add_all_units(const StoredMatrix& w, std::int64_t first, std::int64_t columns, std::int64_t rows,
                                        Block<const float> x, Block<float> y, float* unscaled) noexcept {
  return with_unit_type(w.dtype, [&]<Dtype type>() { add_all_units<type>(w, first, columns, rows, x, y, unscaled); });
}

}  // namespace preamble::PREAMBLE_ISA

#endif
