// Products of a tile of queries with tiles of keys, on tensor cores. Included by .cu files alone.
#pragma once

#include "engine/backend/cuda/attention/bf16_products.cuh"
#include "engine/backend/cuda/attention/warpgroup.cuh"

namespace preamble::cuda {

/// A warp owns 16 M queries, a thread two of each 16. `grouped`: warps multiply four at a time, as warpgroups, for D = 64 and M = 1.
template <int D, int M, int Keys, int warps, bool grouped>
struct QueryProducts {
  static constexpr int kRows = 16 * M * warps, kScores = Keys / 8, kThreads = 32 * warps;
  static_assert(!grouped || (D == 64 && M == 1 && Keys == 64 && warps % 4 == 0));

  /// Row of the tile that a thread's sums belong to.
  [[nodiscard]] static __device__ int row(int m, int half) { return warp() * 16 * M + 16 * m + 8 * half + sum_row(); }

  /// The warpgroup of a warp: a number that the compiler knows to be equal in all lanes.
  [[nodiscard]] static __device__ int group() { return warps == kWarps ? 0 : __shfl_sync(~0U, warp() / kWarps, 0); }

  /// c = rows of a tile of the block times `keys`, transposed.
  static __device__ void multiply(const Bf16* rows, const Bf16* keys, Sum (&c)[M][kScores]) {
    if constexpr (grouped) {
      Warpgroup::scores(rows + group() * 64 * D, keys, c);
    } else {
      clear(c);
      add_scores<D>(rows, warp() * 16 * M, keys, 0, c);
    }
  }
  /// The same of two tiles each.
  static __device__ void multiply_two(const Bf16* rows, const Bf16* keys, Sum (&c)[M][kScores], const Bf16* other_rows, const Bf16* other_keys,
                                      Sum (&d)[M][kScores]) {
    if constexpr (grouped) {
      const int first = group() * 64 * D;
      Warpgroup::two_scores(rows + first, keys, c, other_rows + first, other_keys, d);
    } else {
      multiply(rows, keys, c);
      multiply(other_rows, other_keys, d);
    }
  }
  /// c += weights of keys times `keys`
  static __device__ void add_keys(const Sum (&w)[M][kScores], const Bf16* keys, Sum (&c)[M][D / 8]) {
    if constexpr (grouped) {
      Warpgroup::add_rows(w, keys, c);
    } else {
      add_rows<D>(w, keys, 0, c);
    }
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
