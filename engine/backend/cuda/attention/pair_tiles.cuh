// What a block of queries keeps in shared memory while it meets tiles of keys. Included by .cu files alone.
#pragma once

#include <climits>
#include <cstddef>
#include <cstdint>

#include "engine/backend/cuda/attention/tile.cuh"

namespace preamble::cuda {

/// Shared memory of a block. Heads wider than a tile pass through `q`, `k`, `v` and `g` part by part.
struct PairTiles {
  float q[kTileFloats];
  float k[kTileFloats];
  float v[kTileFloats];
  float x[kTileFloats];
  std::int32_t position[kTile];  ///< of each query
  std::int32_t hidden[kTile], seen[kTile];  ///< `AttentionProblem::first_key` and `last_key` of each query
  std::int32_t key_position[kTile];         ///< `AttentionProblem::key_position` of each key
  float log_sum_exp[kTile];
  float mean[kTile];     ///< Σ P ∘ dP
  float g[kTileFloats];  ///< dO; the forward pass has none
};
inline constexpr std::size_t kForwardBytes = offsetof(PairTiles, log_sum_exp);

/// Smallest and largest number of a list of up to 64, in every lane.
struct Extent {
  std::int32_t low, high;

  template <class At>
  [[nodiscard]] static __device__ Extent of(const At& at) {
    Extent e{INT_MAX, INT_MIN};
    for (int i = static_cast<int>(threadIdx.x) % 32; i < kTile; i += 32) at(i, e);
    return {__reduce_min_sync(~0U, e.low), __reduce_max_sync(~0U, e.high)};
  }
  __device__ void add(std::int32_t x) { low = min(low, x), high = max(high, x); }
};

}  // namespace preamble::cuda
