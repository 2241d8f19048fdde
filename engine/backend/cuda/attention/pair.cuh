// Scores of a tile of queries and a tile of keys in float32 arithmetic, and what the backward pass makes of them. Any type of operands,
// any size of heads, position tables. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/pair_tiles.cuh"
#include "engine/backend/cuda/attention/tile.cuh"
#include "engine/backend/cuda/attention/walk.cuh"

namespace preamble::cuda {

/// One head of one tile of queries, which meets tiles of keys one after the other.
class Pair {
 public:
  /// All threads of the block construct it and call its functions alike. Reads positions; nothing may use the tiles any more.
  __device__ Pair(const AttentionProblem& problem, const QueryTile& queries, int head, PairTiles& tiles)
      : p_(problem), q_(queries), head_(head), s_(tiles), keys_(problem.keys(queries.segment)), parts_((problem.dim + kTile - 1) / kTile) {
    if (const int i = static_cast<int>(threadIdx.x); i < kTile) {
      const bool exists = i < q_.rows;
      s_.position[i] = exists ? p_.q_layout->positions[q_.first + i] : 0;
      s_.hidden[i] = exists ? p_.first_key(keys_, s_.position[i]) : INT_MAX;
      s_.seen[i] = exists ? p_.last_key(keys_, s_.position[i]) : 0;
    }
    if (parts_ == 1) load_rows(p_.q, q_.first, q_.rows, columns(0), s_.q);
    __syncthreads();
    most_ = Extent::of([&](int i, Extent& e) { e.add(s_.seen[i]); }).high;
    if (p_.window > 0) least_ = Extent::of([&](int i, Extent& e) { e.add(s_.hidden[i]); }).low;
  }

  [[nodiscard]] __device__ const SegmentKeys& keys() const { return keys_; }
  /// First key of the first tile of keys that any query sees.
  [[nodiscard]] __device__ int begin() const { return least_ / kTile * kTile; }
  /// Does no query see keys [first, end)?
  [[nodiscard]] __device__ bool sees_none(int first, int end) const { return first >= most_ || end <= least_; }
  /// Behind the last key that any query sees.
  [[nodiscard]] __device__ int most() const { return most_; }
  [[nodiscard]] __device__ HeadColumns columns(int part) const { return HeadColumns::of(p_, head_, part); }
  [[nodiscard]] __device__ HeadColumns kv_columns(int part) const { return HeadColumns::of(p_, head_ / p_.group, part); }
  [[nodiscard]] __device__ int parts() const { return parts_; }

  /// Scores of keys [first, first + 64) below `end`, with biases or position terms; -inf where a query does not see a key.
  /// Uses k, v, x and key_position; q, if heads are wide.
  __device__ void scores(int first, int end, Part& c) const {
    c.clear();
    if (const int j = static_cast<int>(threadIdx.x); j < kTile) s_.key_position[j] = first + j < end ? p_.key_position(keys_, first + j) : p_.kNoPosition;
    for (int part = 0; part < parts_; ++part) {
      if (parts_ > 1) load_rows(p_.q, q_.first, q_.rows, columns(part), s_.q);
      load_own_and_prefix(p_.prefix_k, p_.k, first, end, part, s_.k);
      __syncthreads();
      multiply_scores(s_.q, s_.k, c);
      __syncthreads();
    }
    for_elements(c, [&](int, int, float& x) { x *= p_.scale; });
    if (p_.position_k || p_.position_q) {
      for_bands([&](int row, int rows) {
        if (p_.position_k) add_position_keys(row, rows, c);
        if (p_.position_q) add_position_queries(first, end, row, rows, c);
      });
    }
    for_elements(c, [&](int i, int j, float& x) {
      if (p_.bias != nullptr && s_.key_position[j] != p_.kNoPosition) x += p_.bias[std::int64_t{head_} * (2 * p_.reach + 1) + distance(i, j)];
      if (first + j >= min(s_.seen[i], end) || first + j < s_.hidden[i]) x = -INFINITY;
    });
  }

  /// Reads what the backward pass knows of each query; in front of `gradients`.
  __device__ void open_gradients(const RowsIn& output_gradient, const float* log_sum_exp, const float* mean) const {
    if (const int i = static_cast<int>(threadIdx.x); i < kTile) {
      const std::int64_t at = std::int64_t{q_.first + i} * p_.heads + head_;
      s_.log_sum_exp[i] = i < q_.rows ? log_sum_exp[at] : 0.0F;
      s_.mean[i] = i < q_.rows && mean != nullptr ? mean[at] : 0.0F;
    }
    if (parts_ == 1) load_rows(output_gradient, q_.first, q_.rows, columns(0), s_.g);
    __syncthreads();
  }

  /// P of keys [first, first + 64) below `end`, negative where dropout takes it, and M ∘ dP. Uses k, v, x and key_position; q and g, if heads
  /// are wide. v and k hold the last part of values and keys afterwards, if heads are not wide.
  __device__ void gradients(const RowsIn& output_gradient, int first, int end, Part& p, Part& d) const {
    scores(first, end, p);
    d.clear();
    for (int part = 0; part < parts_; ++part) {
      if (parts_ > 1) load_rows(output_gradient, q_.first, q_.rows, columns(part), s_.g);
      load_own_and_prefix(p_.prefix_v, p_.v, first, end, part, s_.v);
      __syncthreads();
      multiply_scores(s_.g, s_.v, d);
      __syncthreads();
    }
    for_elements(p, [&](int i, int, float& x) { x = x == -INFINITY ? 0.0F : expf(x - s_.log_sum_exp[i]); });
    if (!p_.mask) return;
#pragma unroll
    for (int a = 0; a < 4; ++a) {
#pragma unroll
      for (int b = 0; b < 4; ++b) {
        const float factor = mask_factor(part_row() + 16 * a, first + part_column() + 16 * b);
        d.x[a][b] *= factor;
        if (factor == 0) p.x[a][b] = -p.x[a][b];
      }
    }
  }

  /// Factor of dropout of a query and key j.
  [[nodiscard]] __device__ float mask_factor(int i, int j) const {
    return p_.mask.factor(q_.segment, static_cast<std::uint32_t>(s_.position[i] * p_.heads + head_), static_cast<std::uint32_t>(j));
  }

  /// dS = P ∘ (dP - mean), of what `gradients` made, in place of d.
  __device__ void finish(const Part& p, Part& d) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) d.x[i][j] = fabsf(p.x[i][j]) * (d.x[i][j] - s_.mean[part_row() + 16 * i]);
    }
  }
  /// M ∘ P.
  [[nodiscard]] __device__ float dropped(float p) const { return p_.mask ? p_.mask.scale() * fmaxf(p, 0.0F) : p; }

  __device__ void load_own_and_prefix(const RowsIn& prefix, const RowsIn& own, int first, int end, int part, float* tile) const {
    load_keys(prefix, own, keys_, first, end, kv_columns(part), tile);
  }

  /// Calls body(i, j, element) for a thread's scores: of query i and key j of their tiles.
  template <class Body>
  static __device__ void for_elements(Part& c, const Body& body) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) body(part_row() + 16 * i, part_column() + 16 * j, c.x[i][j]);
    }
  }

  /// Index of the distance of key j from query i in tables by distance.
  [[nodiscard]] __device__ std::int32_t distance(int i, int j) const { return p_.distance(s_.key_position[j], s_.position[i]); }

  /// Calls body(row, rows) for the rows of the position tables that own keys of the tile need, up to 64 at a time.
  template <class Body>
  __device__ void for_bands(const Body& body) const;

  /// Sums of the scores in x over keys that have the same row of a position table: to[query, row - first]. A thread owns every fourth row
  /// of the table for one query.
  __device__ void collect_by_query(int first, float* to) const;
  /// The same over queries: to[key · key_stride + (row - first) · row_stride].
  __device__ void collect_by_key(int first, float* to, int key_stride, int row_stride) const;

 private:
  struct TermAt {
    int distance;  ///< -1: none
    float x;
  };

  template <class At>
  __device__ void collect(int line, int first, float* to, int line_stride, int row_stride, const At& at) const;

  /// scores[i, j] += scale · q[i] · position_k[row of the pair]
  __device__ void add_position_keys(int row, int rows, Part& c) const;
  /// scores[i, j] += scale · k[j] · position_q[row of the pair]
  __device__ void add_position_queries(int first, int end, int row, int rows, Part& c) const;
  template <class Line>
  __device__ void add_terms(const Part& terms, int first, int rows, const Line& line, Part& c) const;

  const AttentionProblem& p_;
  QueryTile q_;
  int head_;
  PairTiles& s_;
  SegmentKeys keys_;
  int parts_;
  int least_ = 0, most_ = 0;  ///< first key and end of the keys that any query sees
};

/// Tile `index` of 64 queries.
[[nodiscard]] __device__ inline QueryTile query_tile(const AttentionProblem& p, std::int32_t index) {
  const Tile t = p.q_layout->tiles(64)[index];
  return {t.segment, t.first, min(kTile, p.q_layout->offsets[t.segment + 1] - t.first)};
}

}  // namespace preamble::cuda

#include "engine/backend/cuda/attention/pair_positions.cuh"
