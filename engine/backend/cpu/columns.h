// Copies of blocks of columns, for concat_columns, slice_columns and pad_columns.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <cstring>

#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

/// Rows of numbers, or a value [N, D] without a row space, as a matrix.
struct Matrix {
  std::int64_t rows, columns;

  /// Blocks of columns, of which each row has so many, as rows of their own.
  [[nodiscard]] Matrix in_parts(std::int64_t count) const noexcept { return {rows * count, columns / count}; }
};

[[nodiscard]] inline Matrix matrix_of(const View& v) noexcept {
  if (v.layout != nullptr) return {v.rows, v.width};
  return {(*v.dims)[0], (*v.dims)[1]};
}

/// to[r, :] = from[r, :] for `columns` columns of rows [begin, end) of two matrices that are `from_stride`, `to_stride` wide.
template <class T>
inline void copy_columns(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride, std::int64_t columns, std::int64_t begin,
                         std::int64_t end) noexcept {
  for (std::int64_t r = begin; r < end; ++r) {
    std::memcpy(to + r * to_stride, from + r * from_stride, static_cast<std::size_t>(columns) * sizeof(T));
  }
}

}  // namespace preamble::PREAMBLE_ISA
