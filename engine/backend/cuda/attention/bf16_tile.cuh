// Tiles of bf16 rows in shared memory and their products on tensor cores. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/mma.cuh"
#include "engine/backend/cuda/attention/problem.cuh"

namespace preamble::cuda {

/// Threads of a block: four warps.
inline constexpr int kWarps = 4, kBlockThreads = 32 * kWarps;

[[nodiscard]] __device__ inline int lane() { return static_cast<int>(threadIdx.x) % 32; }
[[nodiscard]] __device__ inline int warp() { return static_cast<int>(threadIdx.x) / 32; }
/// A thread's row among the upper eight of a `Sum`, and its first column.
[[nodiscard]] __device__ inline int sum_row() { return lane() / 4; }
[[nodiscard]] __device__ inline int sum_column() { return 2 * (lane() % 4); }

/// Rows of D columns. Pieces of 8 columns (16 bytes) are permuted in each row: the same piece of eight neighbouring rows meets each bank
/// once.
template <int D>
struct SharedRows {
  static constexpr int kPieces = D / 8;

  [[nodiscard]] static __device__ Bf16* piece(Bf16* tile, int row, int index) { return tile + row * D + (index ^ (row & 7)) * 8; }
  [[nodiscard]] static __device__ const Bf16* piece(const Bf16* tile, int row, int index) {
    return tile + row * D + (index ^ (row & 7)) * 8;
  }

  /// Rows [row, row + 16), columns [column, column + 16) as the left operand.
  [[nodiscard]] static __device__ FragmentA left(const Bf16* tile, int row, int column) {
    FragmentA a;
    load_matrices(piece(tile, row + lane() % 16, column / 8 + lane() / 16), a.x);
    return a;
  }
  /// Rows [row, row + 16) as columns of two right operands; their k runs over columns [column, column + 16).
  static __device__ void right(const Bf16* tile, int row, int column, FragmentB (&b)[2]) {
    std::uint32_t x[4];
    load_matrices(piece(tile, row + lane() % 8 + lane() / 16 * 8, column / 8 + lane() / 8 % 2), x);
    b[0] = {{x[0], x[1]}};
    b[1] = {{x[2], x[3]}};
  }
  /// Columns [column, column + 16) as columns of two right operands; their k runs over rows [row, row + 16).
  static __device__ void right_of_rows(const Bf16* tile, int row, int column, FragmentB (&b)[2]) {
    std::uint32_t x[4];
    load_transposed(piece(tile, row + lane() % 16, column / 8 + lane() / 16), x);
    b[0] = {{x[0], x[1]}};
    b[1] = {{x[2], x[3]}};
  }

  /// Begins to fill `count` rows of a tile: row r with `find(r)`, the head's columns from `column` on; zeros behind its last column and
  /// where there is no row. Rows of bf16 are copied asynchronously.
  template <int count, class Find>
  static __device__ void fill(Bf16* tile, int column, int dim, const Find& find) {
#pragma unroll
    for (int i = static_cast<int>(threadIdx.x); i < count * kPieces; i += kBlockThreads) {
      const int r = i / kPieces;
      const int c = i % kPieces;
      const auto source = find(r);
      const bool exists = source.row >= 0 && 8 * c < dim;
      Bf16* to = piece(tile, r, c);
      if (source.rows.narrow) {
        copy_16_async(to, exists ? source.rows.at(source.row, column + 8 * c) : source.rows.data, exists);
        continue;
      }
      uint4 bits = make_uint4(0, 0, 0, 0);
      if (exists) {
        const float4* from = static_cast<const float4*>(source.rows.at(source.row, column + 8 * c));
        const float4 low = from[0];
        const float4 high = from[1];
        bits = make_uint4(pack(low.x, low.y), pack(low.z, low.w), pack(high.x, high.y), pack(high.z, high.w));
      }
      *reinterpret_cast<uint4*>(to) = bits;
    }
  }
};

/// Where a row of a tile comes from; below zero: nowhere.
struct Source {
  RowsIn rows;
  std::int64_t row;
};

template <int M, int N>
__device__ inline void clear(Sum (&c)[M][N]) {
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int n = 0; n < N; ++n) c[m][n] = {};
  }
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

inline constexpr float kLog2E = 1.4426950408889634F, kLn2 = 0.6931471805599453F;

}  // namespace preamble::cuda
