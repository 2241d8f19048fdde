// Scores of a tile of keys, and what their gradients are made of, on tensor cores. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_key_shared.cuh"
#include "engine/backend/cuda/attention/bf16_products.cuh"
#include "engine/backend/cuda/attention/kernels.cuh"

namespace preamble::cuda::tensor {

/// What a thread knows of its keys, and what becomes of their products with queries.
template <int D, int M, Share share, Extras extras, class SharedMemory>
class KeyScores {
 public:
  static constexpr int kKeys = kKeysOf<M, share>;
  /// Queries that a warp takes at a time.
  static constexpr int kColumns = share == Share::groups ? kQueries : share == Share::keys ? 32 : kQueries / kWarps;
  static constexpr bool kExtras = extras != Extras::none, kAll = extras == Extras::all;
  using Scores = Sum[M][kColumns / 8];
  using Shared = SharedMemory;

 protected:
  /// Keys [first_row, first_row + rows) of K or P.
  __device__ KeyScores(const AttentionProblem& problem, const KeyTarget& target, int first_row, int rows, Shared& shared)
      : p_(problem), target_(target), first_row_(first_row), rows_(min(kKeys, rows)), s_(shared) {}

  [[nodiscard]] static __device__ int warp_row() { return share == Share::queries ? 0 : warp() % kWarps * 16 * M; }
  /// Row of the tile of keys that a thread's sums belong to.
  [[nodiscard]] static __device__ int row(int m, int half) { return warp_row() + 16 * m + 8 * half + sum_row(); }

  /// Σ P ∘ dP (which = 1) or log_sum_exp (0) of a query of the tile.
  [[nodiscard]] __device__ float* statistic(int stage, int query, int which) const {
    return reinterpret_cast<float*>(&s_.statistics[stage][query / 2][which]) + query % 2;
  }

  /// Calls body(m, half, query, element) for a thread's elements, queries from `column` on.
  template <class Body>
  static __device__ void for_elements(Scores& c, int column, const Body& body) {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) body(m, i / 2, column + 8 * n + sum_column() + i % 2, c[m][n].x[i]);
      }
    }
  }

  /// K Qᵀ becomes P: of queries from `column` on, to whom the first key is number `first`.
  __device__ void make_probabilities(int first, int stage, int column, Scores& p) const {
    float scale = p_.scale * kLog2E;
    float far = 0;
    if constexpr (kExtras) {
      if (p_.bias != nullptr && !is_far(stage, far)) {
        add_bias(first, stage, column, scale, p);
        scale = 1;
      }
    }
#pragma unroll
    for (int n = 0; n < kColumns / 8; ++n) {
      float2 shift = pair_of(stage, column, n, 0);
      shift.x = far - kLog2E * shift.x, shift.y = far - kLog2E * shift.y;
#pragma unroll
      for (int m = 0; m < M; ++m) {
#pragma unroll
        for (int i = 0; i < 4; ++i) p[m][n].x[i] = exp2_fast(p[m][n].x[i] * scale + (i % 2 == 0 ? shift.x : shift.y));
      }
    }
    if (first + rows_ > s_.tile[stage].all_see) {
      for_elements(p, column, [&](int m, int half, int i, float& x) {
        if (first + row(m, half) >= s_.seen[stage][i]) x = 0;
      });
    }
    if constexpr (kAll) {
      if (p_.window > 0) {
        for_elements(p, column, [&](int m, int half, int i, float& x) {
          if (first + row(m, half) < s_.hidden[stage][i]) x = 0;
        });
      }
    }
  }

  /// V dOᵀ becomes dS / scale, of P, which becomes M ∘ P.
  __device__ void make_gradients(int first, int stage, int column, Scores& p, Scores& d) const {
    if (kAll && p_.mask) return apply_dropout(first, stage, column, p, d);
    subtract_means(stage, column, d);
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) d[m][n].x[i] *= p[m][n].x[i];
      }
    }
  }
  /// V dOᵀ becomes dS / scale / P.
  __device__ void subtract_means(int stage, int column, Scores& d) const {
#pragma unroll
    for (int n = 0; n < kColumns / 8; ++n) {
      const float2 mean = pair_of(stage, column, n, 1);
#pragma unroll
      for (int m = 0; m < M; ++m) {
#pragma unroll
        for (int i = 0; i < 4; ++i) d[m][n].x[i] -= i % 2 == 0 ? mean.x : mean.y;
      }
    }
  }

  /// Writes a thread's sums of dK / scale and of dV, where they are asked for.
  __device__ void store(const KeyGradients& to, std::int32_t chunk, int kv_head, Sum (&dk)[M][D / 8], const Sum (&dv)[M][D / 8]) const {
    const int column = kv_head * p_.dim;
    const RowsOut keys = to.keys ? to.keys.shifted(chunk * to.chunk_elements) : to.keys;
    const RowsOut values = to.values ? to.values.shifted(chunk * to.chunk_elements) : to.values;
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) dk[m][n].x[i] = p_.scale * dk[m][n].x[i] + (to.joint ? dv[m][n].x[i] : 0.0F);
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int r = row(m, half);
        if (r >= rows_) continue;
        if (keys) store_row(keys, first_row_ + r, column, p_.dim, dk[m], half, 1.0F);
        if (values) store_row(values, first_row_ + r, column, p_.dim, dv[m], half, 1.0F);
      }
    }
  }

  [[nodiscard]] __device__ bool bias_is_shared() const { return p_.group == 1 && shares_biases(p_); }

  const AttentionProblem& p_;
  const KeyTarget& target_;
  int first_row_, rows_;
  Shared& s_;
  // where there are biases: of the first key, and what `share_biases` has made
  std::int32_t key_position_ = 0;
  const float* biases_ = nullptr;

 private:
  /// A statistic of the two queries that the thread's elements [m][n] belong to.
  [[nodiscard]] __device__ float2 pair_of(int stage, int column, int n, int which) const {
    return s_.statistics[stage][(column + 8 * n + sum_column()) / 2][which];
  }

  /// P becomes M ∘ P, dO Vᵀ becomes dS.
  __device__ void apply_dropout(int first, int stage, int column, Scores& p, Scores& d) const {
#pragma unroll
    for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int i = column + 8 * n + sum_column() + e % 2;
        const auto query = static_cast<std::uint32_t>(s_.position[stage][i] * p_.heads + s_.head[stage]);
        uint4 words = {};
#pragma unroll
        for (int m = 0; m < M; ++m) {
          const auto j = static_cast<std::uint32_t>(first + row(m, e / 2));
          // sixteen keys further on: the same words, unless a multiple of 128 lies between
          if (m == 0 || j % 128 < 16) words = p_.mask.words(s_.segment[stage], query, j);
          const float factor = p_.mask.keeps(words, j) ? p_.mask.scale() : 0.0F;
          float& x = p[m][n].x[e];
          float& y = d[m][n].x[e];
          y = x * (y * factor - *statistic(stage, i, 1));
          x *= factor;
        }
      }
    }
  }

  /// Are all keys so far from all queries that they share a bias? It is · log2(e).
  __device__ bool is_far(int stage, float& bias) const {
    const Visibility& tile = s_.tile[stage];
    if (target_.prefix || tile.straight == 0) return false;
    const bool behind = key_position_ + rows_ - 1 - tile.nearest <= -p_.reach, ahead = key_position_ - tile.farthest >= p_.reach;
    if (!behind && !ahead) return false;
    bias = far_bias(p_, s_.head[stage], biases_, bias_is_shared(), ahead);
    return true;
  }

  /// Products become scores · log2(e).
  __device__ void add_bias(int first, int stage, int column, float scale, Scores& p) const {
    const Visibility& tile = s_.tile[stage];
    if (bias_is_shared() && tile.straight != 0 && !target_.prefix) {
      // distances rise by one from key to key and fall from query to query, and the margins of the table spare the clamp
#pragma unroll
      for (int m = 0; m < M; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int r = min(row(m, half), rows_ - 1);
          const float* biases = biases_ + (key_position_ + r - (tile.nearest + column + sum_column()) + p_.reach + kBiasMargin);
#pragma unroll
          for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              float& x = p[m][n].x[2 * half + i];
              x = x * scale + biases[-(8 * n + i)];
            }
          }
        }
      }
      return;
    }
    std::int32_t key_position[M][2];
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int r = row(m, half);
        key_position[m][half] = p_.kNoPosition;
        if (r >= rows_) continue;
        if (!target_.prefix) {
          key_position[m][half] = p_.k_layout->positions[first_row_ + r];
        } else if (p_.prefix_has_positions) {
          key_position[m][half] = first + r - tile.prefixes;
        }
      }
    }
    // a copy, so that p may stay in registers
    Scores copy;
    copy_sums(p, copy);
    const std::int32_t* positions = s_.position[stage] + column + sum_column();
    add_biases_one_by_one(copy, key_position, positions, p_.bias + std::int64_t{s_.head[stage]} * (2 * p_.reach + 1), p_.reach, scale);
    copy_sums(copy, p);
  }
};

}  // namespace preamble::cuda::tensor
