// Scores of a tile of queries: biases, dropout, and what queries do not see. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_biases.cuh"
#include "engine/backend/cuda/attention/bf16_query_products.cuh"
#include "engine/backend/cuda/attention/visibility.cuh"

namespace preamble::cuda {

/// What a thread knows of its queries, and what becomes of their products with keys.
template <int D, int M, int Keys, Extras extras>
class QueryScores : public QueryProducts<D, M, Keys> {
 public:
  using Products = QueryProducts<D, M, Keys>;
  using Products::for_scores, Products::kScores, Products::row;

  static constexpr bool kExtras = extras != Extras::none, kAll = extras == Extras::all;

  /// What finished scores are still to be multiplied with.
  [[nodiscard]] __device__ float factor() const { return kExtras && (p_.bias != nullptr || !(p_.scale > 0)) ? 1.0F : p_.scale * kLog2E; }

  /// Makes products of queries and keys to scores · log2(e) / factor(), with biases; -inf where a query does not see a key.
  __device__ void finish_scores(int from, int stage, Sum (&c)[M][kScores]) const {
    if constexpr (kExtras) {
      const float scale = p_.scale * kLog2E;
      if (p_.bias != nullptr) {
        add_bias(from, stage, scale, c);
      } else if (!(scale > 0)) {
        for_scores(c, [&](int, int, int, float& x) { x *= scale; });
      }
    }
    hide(from, c);
  }

  /// -inf where a query does not see a key.
  __device__ void hide(int from, Sum (&c)[M][kScores]) const {
    if constexpr (kAll) {
      if (p_.window > 0) {
        for_scores(c, [&](int m, int half, int j, float& x) {
          if (from + j < hidden_[m][half]) x = -INFINITY;
        });
      }
    }
    if (from + Keys <= all_see_) return;
    for_scores(c, [&](int m, int half, int j, float& x) {
      if (from + j >= seen_[m][half]) x = -INFINITY;
    });
  }

  /// Multiplies weights of keys by the factors of dropout.
  __device__ void drop(int from, Sum (&c)[M][kScores]) const {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const auto query = static_cast<std::uint32_t>(position_[m][half] * p_.heads + head_);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          // sixteen keys apart: the same words, as a tile of keys does not cross a multiple of 128
          const int column = i / 2 * 8 + i % 2;
          const uint4 words = p_.mask.words(segment_, query, static_cast<std::uint32_t>(from + column + sum_column()));
#pragma unroll
          for (int n = 0; n < kScores; n += 2) {
            float& x = c[m][n + i / 2].x[2 * half + i % 2];
            x = p_.mask.keeps(words, static_cast<std::uint32_t>(from + 8 * n + column + sum_column())) ? x * p_.mask.scale() : 0.0F;
          }
        }
      }
    }
  }

 protected:
  /// `key_positions` [2, Keys], `biases`: in shared memory.
  __device__ QueryScores(const AttentionProblem& problem, int head, int segment, const std::int32_t (*key_positions)[Keys], const float* biases)
      : p_(problem), head_(head), segment_(segment), key_positions_(key_positions), biases_(biases) {}

  /// Learns what is known of `rows` queries of the segment: `record` tells of those that the warp's own are among, and the arrays begin at
  /// the tile's first row.
  __device__ void learn(const Visibility& record, int rows, const std::int32_t* seen, const std::int32_t* positions, const std::int32_t* hidden) {
    rows_ = rows;
    keys_ = record.keys();
    key_position_ = record.key_position;
    all_see_ = record.all_see, nearest_ = record.nearest, farthest_ = record.farthest;
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int i = row(m, half);
        const bool exists = i < rows_;
        seen_[m][half] = exists ? seen[i] : 0;
        if constexpr (kExtras) position_[m][half] = exists ? positions[i] : 0;
        if constexpr (kAll) hidden_[m][half] = exists && p_.window > 0 ? hidden[i] : 0;
      }
    }
  }

  [[nodiscard]] __device__ bool bias_is_shared() const { return shares_biases(p_); }

  __device__ void add_bias(int from, int stage, float scale, Sum (&c)[M][kScores]) const {
    const bool whole = from >= keys_.prefixes && from + Keys <= keys_.prefixes + keys_.count;
    if (whole && straight_) {
      const std::int32_t position = key_position_ + from - keys_.prefixes;
      // far keys share a bias
      const bool behind = position + Keys - 1 - nearest_ <= -p_.reach, ahead = position - farthest_ >= p_.reach;
      if (behind || ahead) {
        const float far = far_bias(p_, head_, biases_, bias_is_shared(), ahead);
        for_scores(c, [&](int, int, int, float& x) { x = x * scale + far; });
        return;
      }
      if (bias_is_shared()) {
        // distances rise by one from key to key, and the margins of the table spare the clamp
#pragma unroll
        for (int m = 0; m < M; ++m) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const std::int32_t query = row(m, half) < rows_ ? position_[m][half] : farthest_;
            const float* biases = biases_ + (position + sum_column() - query + p_.reach + kBiasMargin);
#pragma unroll
            for (int n = 0; n < kScores; ++n) {
#pragma unroll
              for (int i = 0; i < 2; ++i) {
                float& x = c[m][n].x[2 * half + i];
                x = x * scale + biases[8 * n + i];
              }
            }
          }
        }
        return;
      }
    }
    const std::int32_t* positions = key_positions_[stage];
    const bool shared = bias_is_shared();
    const float* bias = p_.bias + std::int64_t{head_} * (2 * p_.reach + 1);
    for_scores(c, [&](int m, int half, int j, float& x) {
      const std::int32_t key = straight_ && whole ? key_position_ + from + j - keys_.prefixes : positions[j];
      const std::int32_t distance = p_.distance(key, position_[m][half]);
      const float added = key == p_.kNoPosition ? 0.0F : shared ? biases_[distance + kBiasMargin] : kLog2E * bias[distance];
      x = x * scale + added;
    });
  }

  const AttentionProblem& p_;
  int head_, segment_, rows_;
  SegmentKeys keys_;
  std::int32_t position_[kExtras ? M : 1][2], seen_[M][2], hidden_[kAll ? M : 1][2];
  // of the 64 queries that the warp's own are among: keys that all see, smallest and largest position
  int all_see_;
  std::int32_t nearest_, farthest_;
  std::int32_t key_position_;  ///< of the first own key
  bool straight_;              ///< positions of the block's queries and of their keys rise by one

 private:
  const std::int32_t (*key_positions_)[Keys];
  const float* biases_;
};

}  // namespace preamble::cuda
