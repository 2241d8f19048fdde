// Products of tiles of bf16 rows on tensor cores, and what becomes of their sums. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_tile.cuh"

namespace preamble::cuda {

inline constexpr float kLog2E = 1.4426950408889634F, kLn2 = 0.6931471805599453F;

template <int M, int N>
__device__ inline void clear(Sum (&c)[M][N]) {
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int n = 0; n < N; ++n) c[m][n] = {};
  }
}

/// A sum over the four lanes that share a row of sums.
[[nodiscard]] __device__ inline float sum_over_row(float x) {
  x += __shfl_xor_sync(~0U, x, 1);
  return x + __shfl_xor_sync(~0U, x, 2);
}

/// c [16 M, 8 N] += a bᵀ, rows `a_row` and `b_row` on of tiles of D columns.
template <int D, int M, int N>
__device__ inline void add_scores(const Bf16* a, int a_row, const Bf16* b, int b_row, Sum (&c)[M][N]) {
#pragma unroll
  for (int k = 0; k < D; k += 16) {
    FragmentA x[M];
#pragma unroll
    for (int m = 0; m < M; ++m) x[m] = SharedRows<D>::left(a, a_row + 16 * m, k);
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      FragmentB y[2];
      SharedRows<D>::right(b, b_row + 8 * n, k, y);
#pragma unroll
      for (int m = 0; m < M; ++m) {
        multiply_add(x[m], y[0], c[m][n]);
        multiply_add(x[m], y[1], c[m][n + 1]);
      }
    }
  }
}

/// c [16 M, D] += w x: w [16 M, 8 N] sums that become bf16, x rows `row` on of a tile.
template <int D, int M, int N>
__device__ inline void add_rows(const Sum (&w)[M][N], const Bf16* x, int row, Sum (&c)[M][D / 8]) {
#pragma unroll
  for (int k = 0; k < N; k += 2) {
    FragmentA a[M];
#pragma unroll
    for (int m = 0; m < M; ++m) {
      const Sum& left = w[m][k];
      const Sum& right = w[m][k + 1];
      a[m] = {{pack(left.x[0], left.x[1]), pack(left.x[2], left.x[3]), pack(right.x[0], right.x[1]), pack(right.x[2], right.x[3])}};
    }
#pragma unroll
    for (int n = 0; n < D / 8; n += 2) {
      FragmentB b[2];
      SharedRows<D>::right_of_rows(x, row + 8 * k, 8 * n, b);
#pragma unroll
      for (int m = 0; m < M; ++m) {
        multiply_add(a[m], b[0], c[m][n]);
        multiply_add(a[m], b[1], c[m][n + 1]);
      }
    }
  }
}

/// Two neighbouring numbers of a row.
__device__ inline void store_two(const RowsOut& to, std::int64_t row, int column, float x, float y) {
  const std::int64_t i = row * to.width + column;
  if (to.narrow) {
    *reinterpret_cast<std::uint32_t*>(static_cast<Bf16*>(to.data) + i) = pack(x, y);
  } else {
    *reinterpret_cast<float2*>(static_cast<float*>(to.data) + i) = make_float2(x, y);
  }
}

/// One row (upper or lower half) of a thread's sums, times `factor`.
template <int N>
__device__ inline void store_row(const RowsOut& to, std::int64_t row, int first_column, int dim, const Sum (&c)[N], int half,
                                 float factor) {
#pragma unroll
  for (int n = 0; n < N; ++n) {
    const int column = 8 * n + sum_column();
    if (8 * n < dim) store_two(to, row, first_column + column, factor * c[n].x[2 * half], factor * c[n].x[2 * half + 1]);
  }
}

}  // namespace preamble::cuda
