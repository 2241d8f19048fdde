// Scores of a tile of queries and a tile of keys in float32 arithmetic, and what the backward pass makes of them. Any type of operands,
// any size of heads, position tables. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/tile.cuh"
#include "engine/backend/cuda/attention/walk.cuh"

namespace preamble::cuda {

/// Shared memory of a block. Heads wider than a tile pass through `q`, `k`, `v` and `g` part by part.
struct PairTiles {
  float q[kTileFloats];
  float k[kTileFloats];
  float v[kTileFloats];
  float x[kTileFloats];
  std::int32_t position[kTile];  ///< of each query
  std::int32_t seen[kTile];      ///< keys that each query sees, prefix keys first: the first ones
  std::int32_t place[kTile];     ///< `AttentionProblem::place` of each key
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

/// One head of one tile of queries, which meets tiles of keys one after the other.
class Pair {
 public:
  /// All threads of the block construct it and call its functions alike. Reads positions; nothing may use the tiles any more.
  __device__ Pair(const AttentionProblem& problem, const QueryTile& queries, int head, PairTiles& tiles)
      : p_(problem), q_(queries), head_(head), s_(tiles), keys_(problem.keys(queries.segment)), parts_((problem.dim + kTile - 1) / kTile) {
    if (const int i = static_cast<int>(threadIdx.x); i < kTile) {
      const bool exists = i < q_.rows;
      s_.position[i] = exists ? p_.q_layout->positions[q_.first + i] : 0;
      s_.seen[i] = exists ? keys_.prefixes + p_.visible(keys_, s_.position[i]) : 0;
    }
    if (parts_ == 1) load_rows(p_.q, q_.first, q_.rows, columns(0), s_.q);
    __syncthreads();
    most_ = Extent::of([&](int i, Extent& e) { e.add(s_.seen[i]); }).high;
  }

  [[nodiscard]] __device__ const SegmentKeys& keys() const { return keys_; }
  /// Keys that any query sees.
  [[nodiscard]] __device__ int most() const { return most_; }
  [[nodiscard]] __device__ HeadColumns columns(int part) const { return HeadColumns::of(p_, head_, part); }
  [[nodiscard]] __device__ HeadColumns kv_columns(int part) const { return HeadColumns::of(p_, head_ / p_.group, part); }
  [[nodiscard]] __device__ int parts() const { return parts_; }

  /// Scores of keys [first, first + 64) below `end`, with biases or position terms; -inf where a query does not see a key.
  /// Uses k, v, x and place; q, if heads are wide.
  __device__ void scores(int first, int end, Part& c) const {
    c.clear();
    if (const int j = static_cast<int>(threadIdx.x); j < kTile) s_.place[j] = first + j < end ? p_.place(keys_, first + j) : p_.kNoPlace;
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
      if (p_.bias != nullptr && s_.place[j] != p_.kNoPlace) x += p_.bias[std::int64_t{head_} * (2 * p_.reach + 1) + distance(i, j)];
      if (first + j >= min(s_.seen[i], end)) x = -INFINITY;
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

  /// P of keys [first, first + 64) below `end`, negative where dropout takes it, and M ∘ dP. Uses k, v, x and place; q and g, if heads
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
  [[nodiscard]] __device__ std::int32_t distance(int i, int j) const { return p_.distance(s_.place[j], s_.position[i]); }

  /// Calls body(row, rows) for the rows of the position tables that own keys of the tile need, up to 64 at a time.
  template <class Body>
  __device__ void for_bands(const Body& body) const {
    const Extent queries = Extent::of([&](int i, Extent& e) {
      if (i < q_.rows) e.add(s_.position[i]);
    });
    const Extent places = Extent::of([&](int j, Extent& e) {
      if (s_.place[j] != p_.kNoPlace) e.add(s_.place[j]);
    });
    if (places.low > places.high) return;
    const int low = p_.row_at[p_.distance(places.high, queries.low)];
    const int high = p_.row_at[p_.distance(places.low, queries.high)];
    for (int row = low; row <= high; row += kTile) body(row, min(kTile, high + 1 - row));
  }

  /// Sums of the scores in x over keys that have the same row of a position table: to[query, row - first]. A thread owns every fourth row
  /// of the table for one query.
  __device__ void collect_by_query(int first, float* to) const {
    const int i = static_cast<int>(threadIdx.x) / 4;
    collect(i, first, to, kPitch, 1, [&](int j) { return TermAt{s_.place[j] != p_.kNoPlace ? distance(i, j) : -1, s_.x[i * kPitch + j]}; });
  }
  /// The same over queries: to[key · key_stride + (row - first) · row_stride].
  __device__ void collect_by_key(int first, float* to, int key_stride, int row_stride) const {
    const int j = static_cast<int>(threadIdx.x) / 4;
    const bool own = s_.place[j] != p_.kNoPlace;
    collect(j, first, to, key_stride, row_stride, [&](int i) {
      return TermAt{own && i < q_.rows ? distance(i, j) : -1, s_.x[i * kPitch + j]};
    });
  }

 private:
  struct TermAt {
    int distance;  ///< -1: none
    float x;
  };

  template <class At>
  __device__ void collect(int line, int first, float* to, int line_stride, int row_stride, const At& at) const {
    const int lane = static_cast<int>(threadIdx.x) % 4;
    for (int row = lane; row < kTile; row += 4) to[line * line_stride + row * row_stride] = 0;
    for (int other = 0; other < kTile; ++other) {
      const TermAt term = at(other);
      if (term.distance < 0) continue;
      const int row = p_.row_at[term.distance] - first;
      if (row >= 0 && row < kTile && row % 4 == lane) to[line * line_stride + row * row_stride] += term.x;
    }
  }

  /// scores[i, j] += scale · q[i] · position_k[row of the pair]
  __device__ void add_position_keys(int row, int rows, Part& c) const {
    Part terms;
    terms.clear();
    for (int part = 0; part < parts_; ++part) {
      if (parts_ > 1) load_rows(p_.q, q_.first, q_.rows, columns(part), s_.q);
      load_rows(p_.position_k, row, rows, columns(part), s_.v);
      __syncthreads();
      multiply_scores(s_.q, s_.v, terms);
      __syncthreads();
    }
    add_terms(
        terms, row, rows, [](int i, int) { return i; }, c);
  }

  /// scores[i, j] += scale · k[j] · position_q[row of the pair]
  __device__ void add_position_queries(int first, int end, int row, int rows, Part& c) const {
    Part terms;
    terms.clear();
    for (int part = 0; part < parts_; ++part) {
      if (parts_ > 1) load_own_and_prefix(p_.prefix_k, p_.k, first, end, part, s_.k);
      load_rows(p_.position_q, row, rows, columns(part), s_.v);
      __syncthreads();
      multiply_scores(s_.k, s_.v, terms);
      __syncthreads();
    }
    add_terms(
        terms, row, rows, [](int, int j) { return j; }, c);
  }

  template <class Line>
  __device__ void add_terms(const Part& terms, int first, int rows, const Line& line, Part& c) const {
    put_scores(terms, s_.x);
    __syncthreads();
    for_elements(c, [&](int i, int j, float& x) {
      if (s_.place[j] == p_.kNoPlace) return;
      const int row = p_.row_at[distance(i, j)] - first;
      if (row >= 0 && row < rows) x += p_.scale * s_.x[line(i, j) * kPitch + row];
    });
    __syncthreads();
  }

  const AttentionProblem& p_;
  QueryTile q_;
  int head_;
  PairTiles& s_;
  SegmentKeys keys_;
  int parts_;
  int most_ = 0;
};

/// Tile `index` of 64 queries.
[[nodiscard]] __device__ inline QueryTile query_tile(const AttentionProblem& p, std::int32_t index) {
  const Tile t = p.q_layout->tiles64[index];
  return {t.segment, t.first, min(kTile, p.q_layout->offsets[t.segment + 1] - t.first)};
}

}  // namespace preamble::cuda
