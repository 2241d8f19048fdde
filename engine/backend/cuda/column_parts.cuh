// A matrix and its blocks of columns: join, split, concat, slice and pad. Included by .cu files alone.
#pragma once

#include <algorithm>
#include <cstddef>

#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/rows.cuh"

namespace preamble::cuda {

/// Some blocks of columns, side by side from column `first` of the whole on. What is absent counts as zeros, or is not written.
struct ColumnParts {
  static constexpr int kMost = 32;

  Reals part[kMost];
  std::int64_t end[kMost];  ///< in the whole, of each part
  std::int64_t first = 0;
  int count = 0;

  [[nodiscard]] std::int64_t columns() const noexcept { return count > 0 ? end[count - 1] - first : 0; }
  void add(const Reals& values, std::int64_t width) noexcept {
    end[count] = first + columns() + width;
    part[count++] = values;
  }
};

/// Moves numbers between the whole and its parts. A thread owns `step` columns of a row, eight where all parts begin and end at multiples
/// of eight: each number is read once and written once.
template <bool join, int step>
__global__ void __launch_bounds__(kThreads) column_parts_kernel(__grid_constant__ const ColumnParts parts, Reals whole, Matrix size) {
  const auto steps = static_cast<std::uint32_t>((parts.end[parts.count - 1] - parts.first) / step);
  const auto thread = static_cast<std::uint32_t>(thread_index());
  const std::int64_t row = thread / steps, column = parts.first + static_cast<std::int64_t>(thread % steps) * step;
  if (row >= size.rows()) return;
  int p = 0;
  while (parts.end[p] <= column) ++p;
  const std::int64_t begin = p > 0 ? parts.end[p - 1] : parts.first, width = parts.end[p] - begin;
  const std::int64_t in_whole = row * size.columns + column, in_part = row * width + column - begin;
  float v[kOctet] = {};
  if constexpr (join) {
    if (parts.part[p]) load(parts.part[p], in_part, step, v);
    store(whole, in_whole, step, v);
  } else {
    if (!parts.part[p]) return;
    load(whole, in_whole, step, v);
    store(parts.part[p], in_part, step, v);
  }
}

/// `join`: from the parts to the whole; else the other way.
template <bool join>
void move_columns(const char* name, const ColumnParts& parts, const View& whole, const Queue& queue, std::int64_t groups = 1) {
  if (parts.count == 0) return;
  const Matrix size = matrix_of(whole).in_parts(groups);
  bool aligned = size.columns % kOctet == 0 && parts.first % kOctet == 0;
  for (int p = 0; p < parts.count; ++p) aligned = aligned && parts.end[p] % kOctet == 0;
  if (aligned) {
    launch_each(name, column_parts_kernel<join, kOctet>, size.bound * (parts.columns() / kOctet), queue, parts, Reals(whole), size);
  } else {
    launch_each(name, column_parts_kernel<join, 1>, size.bound * parts.columns(), queue, parts, Reals(whole), size);
  }
}

/// As many launches as the number of parts asks for. `part_of(i)`: the view of part i, `width_of(i)` its columns in each of `groups` blocks
/// of columns.
template <bool join, class PartOf, class WidthOf>
void move_all_columns(const char* name, std::size_t count, const PartOf& part_of, const WidthOf& width_of, const View& whole,
                      const Queue& queue, std::int64_t groups = 1) {
  ColumnParts parts;
  for (std::size_t i = 0; i < count; ++i) {
    if (parts.count == ColumnParts::kMost) {
      move_columns<join>(name, parts, whole, queue, groups);
      parts.first += parts.columns();
      parts.count = 0;
    }
    parts.add(Reals(part_of(i)), width_of(i));
  }
  move_columns<join>(name, parts, whole, queue, groups);
}

}  // namespace preamble::cuda
