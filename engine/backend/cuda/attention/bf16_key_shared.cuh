// How a block that owns keys is laid out. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_biases.cuh"
#include "engine/backend/cuda/attention/bf16_key_steps.cuh"
#include "engine/backend/cuda/attention/visibility.cuh"

namespace preamble::cuda::tensor {

/// How the warps of a block share its work.
enum class Share : std::uint8_t {
  keys,     ///< each has keys of its own, and all queries
  group,    ///< the same, and the four multiply as a warpgroup
  queries,  ///< each has a quarter of the queries, and all keys: for few keys
};

/// The shared memory of a block that owns `Keys` keys.
template <int D, int Keys, Extras extras>
struct KeyShared {
  Bf16 k[Keys * D];
  Bf16 v[Keys * D];
  Bf16 q[2][kQueries * D];
  Bf16 g[2][kQueries * D];
  Visibility tile[2];  ///< of the queries
  std::int32_t segment[2], head[2];
  float2 statistics[2][kQueries / 2][2];  ///< of two queries each: log_sum_exp, then Σ P ∘ dP
  std::int32_t seen[2][kQueries];
  // where there are biases or dropout, and where there is a window
  std::int32_t position[2][extras != Extras::none ? kQueries : 1], hidden[2][extras == Extras::all ? kQueries : 1];
  float bias[extras != Extras::none ? kSharedBiases : 1];
};

}  // namespace preamble::cuda::tensor
