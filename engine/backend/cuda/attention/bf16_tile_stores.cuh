// Sums of a warpgroup on their way to rows of bf16. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_products.cuh"
#include "engine/backend/cuda/attention/warpgroup.cuh"

namespace preamble::cuda {

/// Waits for the four warps of multiplying warpgroup `index`.
__device__ inline void wait_for_warpgroup(int index) {
  // the block's own barrier is 0, that of the copying warps 1
  asm volatile("bar.sync %0, 128;\n" ::"r"(2 + index) : "memory");
}

/// Writes rows [0, rows) of a warpgroup's sums [64, 64], times a factor for each of a thread's two rows, from row `first` on. They pass
/// through `tile`, 64 rows of shared memory that the warpgroup has done with: stores of whole rows take a quarter of the instructions.
__device__ inline void store_tile(const RowsOut& to, std::int64_t first, int rows, int column, int dim, const Sum (&c)[8],
                                  const float (&factor)[2], Bf16* tile) {
  const int own = warp() % kWarps * 16;
  if (!to.narrow) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int r = own + 8 * half + sum_row();
      if (r < rows) store_row(to, first + r, column, dim, c, half, factor[half]);
    }
    return;
  }
#pragma unroll
  for (int n = 0; n < 8; n += 2) {
    std::uint32_t x[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float* from = &c[n + i / 2].x[i % 2 * 2];
      x[i] = pack(factor[i % 2] * from[0], factor[i % 2] * from[1]);
    }
    store_matrices(SharedRows<64>::piece(tile, own + lane() % 16, n + lane() / 16), x);
  }
  __syncwarp();
  const int part = lane() % 8;
  auto* out = static_cast<Bf16*>(to.data) + (first + own + lane() / 8) * to.width + column + 8 * part;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int r = own + 4 * i + lane() / 8;
    if (r < rows && 8 * part < dim) *reinterpret_cast<uint4*>(out) = *reinterpret_cast<const uint4*>(SharedRows<64>::piece(tile, r, part));
    out += 4 * to.width;
  }
}

}  // namespace preamble::cuda
