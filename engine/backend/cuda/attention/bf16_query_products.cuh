// Products of a tile of queries with tiles of keys, on tensor cores. Included by .cu files alone.
#pragma once

#include "engine/backend/cuda/attention/bf16_products.cuh"

namespace preamble::cuda {

/// Four warps take a tile of queries: a warp owns 16 M of them, a thread two of each 16.
template <int D, int M, int Keys>
struct QueryProducts {
  static constexpr int kRows = 16 * M * kWarps, kScores = Keys / 8;

  /// Row of the tile that a thread's sums belong to.
  [[nodiscard]] static __device__ int row(int m, int half) { return warp() % kWarps * 16 * M + 16 * m + 8 * half + sum_row(); }

  /// c = rows of a tile of the block times `keys`, transposed.
  static __device__ void multiply(const Bf16* rows, const Bf16* keys, Sum (&c)[M][kScores]) {
    clear(c);
    add_scores<D>(rows, warp() * 16 * M, keys, 0, c);
  }

  /// Calls body(m, half, j, score) for a thread's scores: of key j of the tile.
  template <class Body>
  static __device__ void for_scores(Sum (&c)[M][kScores], const Body& body) {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < kScores; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) body(m, i / 2, 8 * n + sum_column() + i % 2, c[m][n].x[i]);
      }
    }
  }
};

}  // namespace preamble::cuda
