// Moves between [heads, positions, d] and [positions, heads, d]. Included by .cu files alone.
#pragma once

#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/rows.cuh"

namespace preamble::cuda {

/// to[b, a, :] = from[a, b, :];  from [first, second, dim]. A thread owns eight numbers of a row.
static __global__ void __launch_bounds__(kThreads)
    swap_axes_kernel(Reals from, Reals to, std::int64_t first, std::int64_t second, std::int64_t dim) {
  const auto [row, column, left] = OctetIndex(dim);
  const std::int64_t a = row / second, b = row % second;
  if (a >= first) return;
  float v[kOctet];
  load(from, row * dim + column, left, v);
  store(to, (b * first + a) * dim + column, left, v);
}

inline void swap_axes(const char* name, const View& from, const View& to, std::int64_t first, std::int64_t second, std::int64_t dim,
                      const Queue& queue) {
  launch_each(name, swap_axes_kernel, first * second * octets_of(dim), queue, Reals(from), Reals(to), first, second, dim);
}

}  // namespace preamble::cuda
