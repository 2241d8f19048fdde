// Biases by clamped distance that a block keeps in shared memory. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_products.cuh"

namespace preamble::cuda {

/// What scores get beside products: kernels without it need fewer registers.
enum class Extras : std::uint8_t {
  none,
  biases,
  all,  ///< biases, dropout, windows; scales that do not keep the order of scores
};

/// Calls run.operator()<extras>() with what a problem has.
template <class Run>
void with_extras(const AttentionProblem& p, const Run& run) {
  if (p.mask || p.window > 0 || !(p.scale > 0)) return run.template operator()<Extras::all>();
  p.bias != nullptr ? run.template operator()<Extras::biases>() : run.template operator()<Extras::none>();
}
/// For kernels that registers do not limit.
[[nodiscard]] constexpr Extras none_or_all(Extras extras) noexcept { return extras == Extras::none ? Extras::none : Extras::all; }

/// Most biases of a head that a block keeps; larger tables stay in global memory.
inline constexpr int kSharedBiases = 1025;
/// Distances behind the clamped ones on both sides, which a tile of 64 queries and 64 keys may meet: all of them have a bias of their own.
inline constexpr int kBiasMargin = 128;

[[nodiscard]] __device__ inline bool shares_biases(const AttentionProblem& p) {
  return p.bias != nullptr && 2 * (p.reach + kBiasMargin) + 1 <= kSharedBiases;
}

/// Fills `biases` [2 (reach + margin) + 1] with a head's, · log2(e), from distance -(reach + margin) on. A barrier of the block follows.
template <int threads>
__device__ inline void share_biases(const AttentionProblem& p, int head, float* biases) {
  const float* from = p.bias + std::int64_t{head} * (2 * p.reach + 1);
  for (int i = static_cast<int>(threadIdx.x); i < 2 * (p.reach + kBiasMargin) + 1; i += threads) {
    biases[i] = kLog2E * from[min(max(i - kBiasMargin, 0), 2 * p.reach)];
  }
}

/// The bias, · log2(e), of all keys that are `reach` or more ahead of a query, or behind it. `biases`: as `share_biases` makes them, if it does.
[[nodiscard]] __device__ inline float far_bias(const AttentionProblem& p, int head, const float* biases, bool shared, bool ahead) {
  if (shared) return biases[ahead ? 2 * (p.reach + kBiasMargin) : 0];
  return kLog2E * p.bias[std::int64_t{head} * (2 * p.reach + 1) + (ahead ? 2 * p.reach : 0)];
}

template <int M, int N>
__device__ inline void copy_sums(const Sum (&from)[M][N], Sum (&to)[M][N]) {
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int n = 0; n < N; ++n) to[m][n] = from[m][n];
  }
}

/// Makes products to scores · log2(e) with biases, for keys and queries that stand anywhere: rare, and not to take registers from what is
/// frequent. `positions`: of the queries, from the thread's first column on.
template <int M, int N>
__device__ __noinline__ void add_biases_one_by_one(Sum (&c)[M][N], const std::int32_t (&key_position)[M][2], const std::int32_t* positions,
                                                   const float* bias, int reach, float scale) {
  for (int m = 0; m < M; ++m) {
    for (int n = 0; n < N; ++n) {
      for (int i = 0; i < 4; ++i) {
        const std::int32_t key = key_position[m][i / 2];
        const std::int32_t distance = min(max(key - positions[8 * n + i % 2], -reach), reach) + reach;
        c[m][n].x[i] = c[m][n].x[i] * scale + (key == AttentionProblem::kNoPosition ? 0.0F : kLog2E * bias[distance]);
      }
    }
  }
}

}  // namespace preamble::cuda
