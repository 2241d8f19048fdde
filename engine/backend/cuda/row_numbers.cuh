// Rows whose numbers are known when a graph is built. Included by .cu files alone.
#pragma once

#include <algorithm>
#include <vector>

#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/rows.cuh"

namespace preamble::cuda {

/// Numbers that fit into the parameters of a launch.
struct RowNumbers {
  static constexpr std::int64_t kMost = 512;
  std::int32_t row[kMost];
};

/// dense[first + i, :] = table[row[i], :] for i < count, or the other way with `put`. A thread owns eight columns of a row.
template <bool put>
__global__ void __launch_bounds__(kThreads) numbered_rows_kernel(__grid_constant__ const RowNumbers numbers, std::int64_t first,
                                                                 std::int64_t count, Reals table, Reals dense, std::int64_t columns) {
  const auto [i, column, left] = OctetIndex(columns);
  if (i >= count) return;
  const std::int64_t in_table = numbers.row[i] * columns + column, in_dense = (first + i) * columns + column;
  float v[kOctet];
  load(put ? dense : table, put ? in_dense : in_table, left, v);
  store(put ? table : dense, put ? in_table : in_dense, left, v);
}

/// Copies rows of a table into a dense value, or with `put` back into the table.
template <bool put>
void copy_numbered_rows(const char* name, const std::vector<std::int32_t>& rows, const View& table, const View& dense, const Queue& queue) {
  const auto total = static_cast<std::int64_t>(rows.size());
  const std::int64_t columns = dense.width / total;
  for (std::int64_t first = 0; first < total; first += RowNumbers::kMost) {
    const std::int64_t count = std::min(RowNumbers::kMost, total - first);
    RowNumbers numbers;
    std::copy_n(rows.begin() + first, count, numbers.row);
    launch_each(name, numbered_rows_kernel<put>, count * octets_of(columns), queue, numbers, first, count, Reals(table), Reals(dense),
                columns);
  }
}

}  // namespace preamble::cuda
