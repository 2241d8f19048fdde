// What kernels share whose blocks own queries and walk over keys, on tensor cores. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_query_products.cuh"
#include "engine/backend/cuda/attention/kernels.cuh"

namespace preamble::cuda {

/// Keys and values of which one tile is read while the next one is copied.
template <int D, int Keys>
struct KeyTiles {
  Bf16 k[2][Keys * D];
  Bf16 v[2][Keys * D];
  std::int32_t key_position[2][Keys];
};

/// One head of one tile of queries.
template <int D, int M, int Keys, bool Extras, int warps, bool grouped>
class QueryBlock : public QueryProducts<D, M, Keys, warps, grouped> {
 public:
  using Products = QueryProducts<D, M, Keys, warps, grouped>;
  using Products::for_scores, Products::kRows, Products::kScores, Products::kThreads, Products::row;

  struct Shared {
    std::int32_t low[warps], high[warps], first[warps], last[warps];
    float bias[Extras ? kSharedDistances : 1];
    std::int32_t hidden[Extras ? kRows : 1];  ///< `AttentionProblem::first_key` of each query, where there is a window
  };

  /// All threads of the block construct it alike. It begins to fill `rows` with each of `operands`, and the first half of the tiles of keys:
  /// what it looks up meanwhile takes as long.
  template <int count>
  __device__ QueryBlock(const AttentionProblem& problem, const Tile& tile, int head, KeyTiles<D, Keys>& tiles, Shared& shared,
                        const RowsIn (&operands)[count], Bf16* const (&rows)[count])
      : p_(problem),
        head_(head),
        first_(tile.first),
        rows_(min(kRows, problem.q_layout->offsets[tile.segment + 1] - tile.first)),
        segment_(tile.segment),
        keys_(problem.keys(tile.segment)),
        tiles_(tiles),
        s_(shared) {
#pragma unroll
    for (int i = 0; i < count; ++i) fetch_rows(operands[i], rows[i]);
    most_ = keys_.prefixes + keys_.count;
    if constexpr (Extras) {
      // the window of the first query begins first
      if (p_.window > 0) from_ = min(p_.first_key(keys_, p_.q_layout->positions[first_]), most_) / Keys * Keys;
    }
    fetch_keys(from_, 0);
    commit_copies();
    std::int32_t low = INT_MAX, high = 0, nearest = INT_MAX, farthest = INT_MIN;
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int i = row(m, half);
        const bool exists = i < rows_;
        position_[m][half] = exists ? p_.q_layout->positions[first_ + i] : 0;
        seen_[m][half] = !exists ? 0 : p_.seen != nullptr ? p_.seen[first_ + i] : p_.last_key(keys_, position_[m][half]);
        if constexpr (Extras) {
          if (p_.window > 0 && lane() % 4 == 0) {
            s_.hidden[i] = !exists ? 0 : p_.hidden != nullptr ? p_.hidden[first_ + i] : p_.first_key(keys_, position_[m][half]);
          }
        }
        if (!exists) continue;
        low = min(low, seen_[m][half]), high = max(high, seen_[m][half]);
        nearest = min(nearest, position_[m][half]), farthest = max(farthest, position_[m][half]);
      }
    }
    low = __reduce_min_sync(~0U, low), high = __reduce_max_sync(~0U, high);
    warp_most_ = high;
    nearest = __reduce_min_sync(~0U, nearest), farthest = __reduce_max_sync(~0U, farthest);
    if (lane() == 0) s_.low[warp()] = low, s_.high[warp()] = high, s_.first[warp()] = nearest, s_.last[warp()] = farthest;
    const int distances = 2 * p_.reach + 1;
    if constexpr (Extras) {
      for (int i = static_cast<int>(threadIdx.x); bias_is_shared() && i < distances; i += kThreads) {
        s_.bias[i] = kLog2E * p_.bias[std::int64_t{head_} * distances + i];
      }
    }
    __syncthreads();
    all_see_ = s_.low[0], most_ = s_.high[0], first_position_ = s_.first[0], last_position_ = s_.last[0];
#pragma unroll
    for (int w = 1; w < warps; ++w) {
      all_see_ = min(all_see_, s_.low[w]), most_ = max(most_, s_.high[w]);
      first_position_ = min(first_position_, s_.first[w]), last_position_ = max(last_position_, s_.last[w]);
    }
    if constexpr (grouped) {
      // all warps of a group multiply, or none
      const int group = warp() / kWarps * kWarps;
      warp_most_ = max(max(s_.high[group], s_.high[group + 1]), max(s_.high[group + 2], s_.high[group + 3]));
    }
  }

  [[nodiscard]] __device__ int rows() const { return rows_; }
  [[nodiscard]] __device__ std::int64_t first() const { return first_; }
  [[nodiscard]] __device__ int column() const { return head_ * p_.dim; }
  /// Keys that any query sees.
  [[nodiscard]] __device__ int most() const { return most_; }

  /// Begins to fill a tile with the queries' rows.
  __device__ void fetch_rows(const RowsIn& x, Bf16* tile) const {
    if (x.narrow && rows_ == kRows) return SharedRows<D>::template copy<kRows, kThreads>(tile, column(), p_.dim, x, first_);
    SharedRows<D>::template fill<kRows, kThreads>(tile, column(), p_.dim, [&](int r) { return Source{x, r < rows_ ? first_ + r : -1}; });
  }

  /// Begins to fill one half of the tiles with keys and values from `from` on, prefix keys first.
  __device__ void fetch_keys(int from, int stage) const {
    const int kv_column = head_ / p_.group * p_.dim;
    if constexpr (Extras) {
      if (const int r = static_cast<int>(threadIdx.x); p_.bias != nullptr && r < Keys) {
        tiles_.key_position[stage][r] = from + r < most_ ? p_.key_position(keys_, from + r) : p_.kNoPosition;
      }
    }
    if (p_.k.narrow && p_.v.narrow && from >= keys_.prefixes && from + Keys <= most_) {
      const std::int64_t first = keys_.first + from - keys_.prefixes;
      SharedRows<D>::template copy<Keys, kThreads>(tiles_.k[stage], kv_column, p_.dim, p_.k, first);
      SharedRows<D>::template copy<Keys, kThreads>(tiles_.v[stage], kv_column, p_.dim, p_.v, first);
      return;
    }
    const auto find = [&](const RowsIn& prefix, const RowsIn& own) {
      return [&, from](int r) {
        const int j = from + r;
        return Source{RowsIn::pick(j < keys_.prefixes, prefix, own), j < most_ ? AttentionProblem::row(keys_, j) : -1};
      };
    };
    SharedRows<D>::template fill<Keys, kThreads>(tiles_.k[stage], kv_column, p_.dim, find(p_.prefix_k, p_.k));
    SharedRows<D>::template fill<Keys, kThreads>(tiles_.v[stage], kv_column, p_.dim, find(p_.prefix_v, p_.v));
  }

  /// Calls body(from, stage) for the tiles of keys that a query of the warp sees: those from `from` on lie in half `stage`. The queries' rows
  /// are there too.
  template <class Body>
  __device__ void for_keys(const Body& body) const {
    int stage = 0;
    for (int from = from_; from < most_; from += Keys) {
      wait_copies<0>();
      if constexpr (grouped) publish_to_tensor_cores();
      // the tile before this one has been read by all, too: the next one may overwrite it
      __syncthreads();
      if (from + Keys < most_) fetch_keys(from + Keys, stage ^ 1);
      commit_copies();
      if (from < warp_most_) body(from, stage);
      stage ^= 1;
    }
  }

  /// Products of queries and keys become scores · log2(e), with biases; -inf where a query does not see a key.
  __device__ void finish_scores(int from, int stage, Sum (&c)[M][kScores]) const {
    const float scale = p_.scale * kLog2E;
    if (Extras && p_.bias != nullptr) {
      add_bias(from, stage, scale, c);
    } else {
      for_scores(c, [&](int, int, int, float& x) { x *= scale; });
    }
    hide(from, c);
  }

  /// -inf where a query does not see a key.
  __device__ void hide(int from, Sum (&c)[M][kScores]) const {
    if constexpr (Extras) {
      if (p_.window > 0) {
        for_scores(c, [&](int m, int half, int j, float& x) {
          if (from + j < s_.hidden[row(m, half)]) x = -INFINITY;
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

 private:
  [[nodiscard]] __device__ bool bias_is_shared() const { return p_.bias != nullptr && 2 * p_.reach + 1 <= kSharedDistances; }

  __device__ void add_bias(int from, int stage, float scale, Sum (&c)[M][kScores]) const {
    const std::int32_t* positions = tiles_.key_position[stage];
    if (from >= keys_.prefixes && from + Keys <= most_) {
      // far keys share a bias
      const bool behind = positions[Keys - 1] - first_position_ <= -p_.reach;
      const bool ahead = positions[0] - last_position_ >= p_.reach;
      if (behind || ahead) {
        const float far = kLog2E * p_.bias[std::int64_t{head_} * (2 * p_.reach + 1) + (ahead ? 2 * p_.reach : 0)];
        for_scores(c, [&](int, int, int, float& x) { x = x * scale + far; });
        return;
      }
    }
    if (bias_is_shared()) {
      for_scores(c, [&](int m, int half, int j, float& x) {
        x = x * scale + (positions[j] != p_.kNoPosition ? s_.bias[p_.distance(positions[j], position_[m][half])] : 0.0F);
      });
    } else {
      const float* bias = p_.bias + std::int64_t{head_} * (2 * p_.reach + 1);
      for_scores(c, [&](int m, int half, int j, float& x) {
        x = x * scale + (positions[j] != p_.kNoPosition ? kLog2E * bias[p_.distance(positions[j], position_[m][half])] : 0.0F);
      });
    }
  }

  const AttentionProblem& p_;
  int head_, first_, rows_, segment_;
  SegmentKeys keys_;
  KeyTiles<D, Keys>& tiles_;
  Shared& s_;
  std::int32_t position_[M][2], seen_[M][2];
  int from_ = 0;                    ///< first key of the first tile: earlier ones have left the windows of all queries
  int all_see_, most_, warp_most_;  ///< last keys: that every query sees, that any query sees, that any query of the warp sees
  std::int32_t first_position_, last_position_;
};

/// Tile `index`, from the last one on: the last tiles of causal segments take longest.
template <int rows>
[[nodiscard]] __device__ inline bool find_tile(const Layout& layout, std::int64_t index, Tile& tile) {
  const Tile* tiles = rows == 64 ? layout.tiles64 : layout.tiles128;
  const std::int32_t count = rows == 64 ? layout.tile64_count : layout.tile128_count;
  if (index >= count) return false;
  tile = tiles[count - 1 - index];
  return true;
}

/// Segments of queries that tiles of 128 rows suit.
[[nodiscard]] inline bool has_long_queries(const AttentionGrid& grid) { return grid.average_queries > 64; }

/// Heads and GPUs that warpgroups suit: tiles of 64 columns.
[[nodiscard]] inline bool suits_warpgroups(const AttentionProblem& p, const Queue& queue) { return queue.has_warpgroups && p.dim <= 64; }

/// Biases, dropout, a window, or a scale that does not keep the order of scores.
[[nodiscard]] inline bool has_extras(const AttentionProblem& p) { return p.bias != nullptr || p.mask || p.window > 0 || !(p.scale > 0); }

}  // namespace preamble::cuda
