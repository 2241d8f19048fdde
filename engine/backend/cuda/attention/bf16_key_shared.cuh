// What blocks that own keys have in shared memory. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_biases.cuh"
#include "engine/backend/cuda/attention/bf16_key_steps.cuh"
#include "engine/backend/cuda/attention/visibility.cuh"

namespace preamble::cuda::tensor {

/// How the warps of a block share its work.
enum class Share : std::uint8_t {
  keys,     ///< each has keys of its own, and all queries
  groups,   ///< four have 64 keys and multiply as a warpgroup; four more copy queries
  queries,  ///< each has a quarter of the queries, and all keys: for few keys
};

/// Keys that four warps own, or one warpgroup of several.
template <int M, Share share>
inline constexpr int kKeysOf = share == Share::queries ? 16 * M : 16 * M * kWarps;

/// The queries that a block of keys meets, in stages.
template <int D, int stages, Extras extras>
struct QueryTiles {
  Bf16 q[stages][kQueries * D];
  Bf16 g[stages][kQueries * D];
  Visibility tile[stages];
  std::int32_t segment[stages], head[stages];
  float2 statistics[stages][kQueries / 2][2];  ///< of two queries each: log_sum_exp, then Σ P ∘ dP
  std::int32_t seen[stages][kQueries];
  // where there are biases or dropout, and where there is a window
  std::int32_t position[stages][extras != Extras::none ? kQueries : 1], hidden[stages][extras == Extras::all ? kQueries : 1];
};

}  // namespace preamble::cuda::tensor
