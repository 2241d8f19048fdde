// Parts of stored matrices in the type that a kernel computes in.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/block.h"
#include "engine/core/decode_row.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

/// The matrix behind an operand: [N, D], or [N] as N rows of one column; with a row space its rows.
[[nodiscard]] inline StoredMatrix stored(const View& w) {
  if (w.layout != nullptr) return StoredMatrix::of(w.dtype, w.rows, w.width, w.data);
  const std::int64_t rows = w.dims->front();
  return StoredMatrix::of(w.dtype, rows, rows == 0 ? 0 : w.width / rows, w.data);
}

/// Rows [row, row + rows) and columns [column, column + columns) of a matrix.
struct Part {
  std::int64_t row = 0, rows = 0, column = 0, columns = 0;
};

/// Fetches the values of a part into the first cache: a thread's stretches of rows are a few kilobytes long, and what fetches ahead by
/// itself stops at the end of a page.
inline void fetch(const StoredMatrix& w, const Part& part) noexcept {
  constexpr std::int64_t kLine = 64;
  const std::int64_t begin = w.row_bytes * part.column / w.columns, end = w.row_bytes * (part.column + part.columns) / w.columns;
  for (std::int64_t r = part.row; r < std::min(part.row + part.rows, w.rows); ++r) {
    for (std::int64_t at = begin; at < end; at += kLine) __builtin_prefetch(w.row(r) + at);
  }
}

/// Elements of the part as they lie in memory, for a matrix that is stored in T.
template <class T>
[[nodiscard]] Block<const T> in_place(const StoredMatrix& w, const Part& part) noexcept {
  return {reinterpret_cast<const T*>(w.row(part.row)) + part.column, w.columns};
}

/// The part in T: where it lies if it is stored so, else converted into `converted`, [rows, columns], by the calling thread.
template <class T>
[[nodiscard]] Block<const T> read_here(const StoredMatrix& w, const Part& part, T* converted) noexcept {
  if (w.dtype == dtype_v<T>) return in_place<T>(w, part);
  for (std::int64_t r = 0; r < part.rows; ++r) decode_row(w, part.row + r, part.column, part.columns, converted + r * part.columns);
  return {converted, part.columns};
}

/// The same by all threads. Not for use inside `parallel_for`.
template <class T>
[[nodiscard]] Block<const T> read(const StoredMatrix& w, const Part& part, T* converted) {
  if (w.dtype == dtype_v<T>) return in_place<T>(w, part);
  parallel_for(part.rows, 16, [&](std::int64_t begin, std::int64_t end) {
    (void)read_here(w, {part.row + begin, end - begin, part.column, part.columns}, converted + begin * part.columns);
  });
  return {converted, part.columns};
}

}  // namespace preamble::PREAMBLE_ISA
