// What kernels share whose blocks own queries and walk over keys, on tensor cores. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_tile.cuh"
#include "engine/backend/cuda/attention/kernels.cuh"

namespace preamble::cuda {

/// Distances of a bias table that a block keeps in shared memory; larger tables stay in global memory.
inline constexpr int kSharedDistances = 1025;

/// Keys and values of which one tile is read while the next one is copied.
template <int D, int Keys>
struct KeyTiles {
  Bf16 k[2][Keys * D];
  Bf16 v[2][Keys * D];
  std::int32_t place[2][Keys];
};

/// One head of one tile of queries. A warp owns 16 M of them, a thread two of each 16.
template <int D, int M, int Keys, bool Extras>
class QueryBlock {
 public:
  static constexpr int kRows = 16 * M * kWarps, kScores = Keys / 8;

  struct Shared {
    std::int32_t low[kWarps], high[kWarps], first[kWarps], last[kWarps];
    float bias[Extras ? kSharedDistances : 1];
  };

  /// All threads of the block construct it alike.
  __device__ QueryBlock(const AttentionProblem& problem, const Tile& tile, int head, KeyTiles<D, Keys>& tiles, Shared& shared)
      : p_(problem),
        head_(head),
        first_(tile.first),
        rows_(min(kRows, problem.q_layout->offsets[tile.segment + 1] - tile.first)),
        segment_(tile.segment),
        keys_(problem.keys(tile.segment)),
        tiles_(tiles),
        s_(shared) {
    std::int32_t low = INT_MAX, high = 0, nearest = INT_MAX, farthest = INT_MIN;
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int i = row(m, half);
        const bool exists = i < rows_;
        position_[m][half] = exists ? p_.q_layout->positions[first_ + i] : 0;
        seen_[m][half] = exists ? keys_.prefixes + p_.visible(keys_, position_[m][half]) : 0;
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
      for (int i = static_cast<int>(threadIdx.x); bias_is_shared() && i < distances; i += kBlockThreads) {
        s_.bias[i] = kLog2E * p_.bias[std::int64_t{head_} * distances + i];
      }
    }
    __syncthreads();
    all_see_ = s_.low[0], most_ = s_.high[0], first_position_ = s_.first[0], last_position_ = s_.last[0];
#pragma unroll
    for (int w = 1; w < kWarps; ++w) {
      all_see_ = min(all_see_, s_.low[w]), most_ = max(most_, s_.high[w]);
      first_position_ = min(first_position_, s_.first[w]), last_position_ = max(last_position_, s_.last[w]);
    }
  }

  /// Row of the tile that a thread's sums belong to.
  [[nodiscard]] static __device__ int row(int m, int half) { return warp() * 16 * M + 16 * m + 8 * half + sum_row(); }
  [[nodiscard]] __device__ int rows() const { return rows_; }
  [[nodiscard]] __device__ std::int64_t first() const { return first_; }
  [[nodiscard]] __device__ int column() const { return head_ * p_.dim; }
  /// Keys that any query sees.
  [[nodiscard]] __device__ int most() const { return most_; }

  /// Begins to fill a tile with the queries' rows.
  __device__ void fetch_rows(const RowsIn& x, Bf16* tile) const {
    SharedRows<D>::template fill<kRows>(tile, column(), p_.dim, [&](int r) { return Source{x, r < rows_ ? first_ + r : -1}; });
  }

  /// Begins to fill one half of the tiles with keys and values from `from` on, prefix keys first.
  __device__ void fetch_keys(int from, int stage) const {
    const int kv_column = head_ / p_.group * p_.dim;
    const auto find = [&](const RowsIn& prefix, const RowsIn& own) {
      return [&, from](int r) {
        const int j = from + r;
        return Source{RowsIn::pick(j < keys_.prefixes, prefix, own), j < most_ ? AttentionProblem::row(keys_, j) : -1};
      };
    };
    SharedRows<D>::template fill<Keys>(tiles_.k[stage], kv_column, p_.dim, find(p_.prefix_k, p_.k));
    SharedRows<D>::template fill<Keys>(tiles_.v[stage], kv_column, p_.dim, find(p_.prefix_v, p_.v));
    if constexpr (Extras) {
      if (const int r = static_cast<int>(threadIdx.x); p_.bias != nullptr && r < Keys) {
        tiles_.place[stage][r] = from + r < most_ ? p_.place(keys_, from + r) : p_.kNoPlace;
      }
    }
  }

  /// Calls body(from, stage) for the tiles of keys that a query of the warp sees: those from `from` on lie in half `stage`. What was
  /// fetched before is there too.
  template <class Body>
  __device__ void for_keys(const Body& body) const {
    if (most_ > 0) fetch_keys(0, 0);
    commit_copies();
    int stage = 0;
    for (int from = 0; from < most_; from += Keys) {
      if (from + Keys < most_) fetch_keys(from + Keys, stage ^ 1);
      commit_copies();
      wait_copies<1>();
      __syncthreads();
      if (from < warp_most_) body(from, stage);
      __syncthreads();
      stage ^= 1;
    }
  }

  /// Products of queries and keys become scores · log2(e), with biases; -inf where a query does not see a key.
  __device__ void finish_scores(int from, int stage, Sum (&c)[M][kScores]) const {
    const float scale = p_.scale * kLog2E;
    for_scores(c, [&](int, int, int, float& x) { x *= scale; });
    if constexpr (Extras) {
      if (p_.bias != nullptr) add_bias(from, stage, c);
    }
    hide(from, c);
  }

  /// -inf where a query does not see a key.
  __device__ void hide(int from, Sum (&c)[M][kScores]) const {
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
        const auto place = static_cast<std::uint32_t>(position_[m][half] * p_.heads + head_);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          // sixteen keys apart: the same words, as a tile of keys does not cross a multiple of 128
          const int column = i / 2 * 8 + i % 2;
          const uint4 words = p_.mask.words(segment_, place, static_cast<std::uint32_t>(from + column + sum_column()));
#pragma unroll
          for (int n = 0; n < kScores; n += 2) {
            float& x = c[m][n + i / 2].x[2 * half + i % 2];
            x = p_.mask.keeps(words, static_cast<std::uint32_t>(from + 8 * n + column + sum_column())) ? x * p_.mask.scale() : 0.0F;
          }
        }
      }
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

 private:
  [[nodiscard]] __device__ bool bias_is_shared() const { return p_.bias != nullptr && 2 * p_.reach + 1 <= kSharedDistances; }

  __device__ void add_bias(int from, int stage, Sum (&c)[M][kScores]) const {
    const std::int32_t* places = tiles_.place[stage];
    if (from >= keys_.prefixes && from + Keys <= most_) {
      // far keys share a bias
      const bool behind = places[Keys - 1] - first_position_ <= -p_.reach;
      const bool ahead = places[0] - last_position_ >= p_.reach;
      if (behind || ahead) {
        const float far = kLog2E * p_.bias[std::int64_t{head_} * (2 * p_.reach + 1) + (ahead ? 2 * p_.reach : 0)];
        for_scores(c, [&](int, int, int, float& x) { x += far; });
        return;
      }
    }
    if (bias_is_shared()) {
      for_scores(c, [&](int m, int half, int j, float& x) {
        if (places[j] != p_.kNoPlace) x += s_.bias[p_.distance(places[j], position_[m][half])];
      });
    } else {
      const float* bias = p_.bias + std::int64_t{head_} * (2 * p_.reach + 1);
      for_scores(c, [&](int m, int half, int j, float& x) {
        if (places[j] != p_.kNoPlace) x += kLog2E * bias[p_.distance(places[j], position_[m][half])];
      });
    }
  }

  const AttentionProblem& p_;
  int head_, first_, rows_, segment_;
  SegmentKeys keys_;
  KeyTiles<D, Keys>& tiles_;
  Shared& s_;
  std::int32_t position_[M][2], seen_[M][2];
  int all_see_, most_, warp_most_;  ///< keys that every query sees, that any query sees, that any query of the warp sees
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

/// Biases, dropout, or a scale that does not keep the order of scores.
[[nodiscard]] inline bool has_extras(const AttentionProblem& p) { return p.bias != nullptr || p.mask || !(p.scale > 0); }

}  // namespace preamble::cuda
