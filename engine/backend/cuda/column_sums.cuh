// Sums over rows. Included by .cu files alone.
#pragma once

#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/partial_sums.h"
#include "engine/backend/cuda/reduce.cuh"
#include "engine/backend/cuda/rows.cuh"

namespace preamble::cuda {

/// y[c] = Σ_p parts[p, c] (+ y[c]). A block owns 32 columns; each of its warps sums every eighth part, then the warps' sums are added in
/// order.
static __global__ void __launch_bounds__(kThreads)
    add_parts_kernel(const float* parts, std::int64_t count, std::int64_t columns, Reals y, bool add) {
  constexpr int kWarps = kThreads / kWarp;
  __shared__ float sums[kWarps][kWarp];
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kWarp + lane;
  float sum = 0;
  if (c < columns) {
#pragma unroll 8
    for (std::int64_t p = warp; p < count; p += kWarps) sum += parts[p * columns + c];
  }
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || c >= columns) return;
#pragma unroll
  for (int w = 1; w < kWarps; ++w) sum += sums[w][lane];
  y.set(c, add ? sum + y[c] : sum);
}

inline void add_parts(const char* name, const float* parts, std::int64_t count, std::int64_t columns, const View& y, bool add,
                      const Queue& queue) {
  launch(name, add_parts_kernel, ceil_div(columns, kWarp), kThreads, queue, parts, count, columns, Reals(y), add);
}

/// parts[p, c] = the sum of rows p, p + count, ... of x, which lie `stride` apart. A thread owns eight columns of a part.
template <class X>
__global__ void __launch_bounds__(kThreads)
    row_parts_kernel(const X* x, std::int64_t stride, Matrix size, std::int64_t count, float* parts) {
  const auto [part, first, left] = OctetIndex(size.columns);
  if (part >= count) return;
  const std::int64_t rows = size.rows();
  float sum[kOctet] = {};
  for (std::int64_t r = part; r < rows; r += count) {
    float v[kOctet];
    load(x + r * stride + first, left, v);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) sum[i] += v[i];
  }
  store(parts + part * size.columns + first, left, sum);
}

/// y = Σ_r x[r, :] (+ y) in `count` parts.  `parts`: count · columns numbers.
template <class X>
void column_sums(const char* name, const X* x, std::int64_t stride, const Matrix& size, std::int64_t count, float* parts, const View& y,
                 bool add, const Queue& queue) {
  launch_each(name, row_parts_kernel<X>, count * octets_of(size.columns), queue, x, stride, size, count, parts);
  add_parts(name, parts, count, size.columns, y, add, queue);
}

}  // namespace preamble::cuda
