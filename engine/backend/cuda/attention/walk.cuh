// Which queries a tile of keys meets. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/problem.cuh"

namespace preamble::cuda {

/// Keys whose gradient a launch makes: those of K, or those of P.
struct KeyTarget {
  bool prefix = false;
  std::int32_t chunks = 1;  ///< partial sums over chunks of the queries' tiles

  /// Does one segment of queries alone read each segment of keys?
  [[nodiscard]] __host__ __device__ bool direct(const AttentionProblem& p) const { return !prefix && p.kv_segment == nullptr; }
  [[nodiscard]] __device__ const Layout& layout(const AttentionProblem& p) const { return prefix ? *p.prefix_layout : *p.k_layout; }
};

/// Rows [first, first + rows) of a segment of Q.
struct QueryTile {
  std::int32_t segment, first, rows;
};

/// The tiles of up to 64 queries that read a segment of keys, in the order of their rows. All threads of a block walk alike.
class QueryWalk {
 public:
  /// Those of one chunk. `key`: number of the first key in its segment; where queries and keys are rows of one space, earlier queries of a
  /// causal attention do not see it, unless it may be one of a context.
  __device__ QueryWalk(const AttentionProblem& p, const KeyTarget& target, std::int32_t key_segment, std::int32_t key, std::int32_t chunk)
      : problem_(p), prefix_(target.prefix), direct_(target.direct(p)), key_segment_(key_segment) {
    if (direct_) {
      const bool any = key_segment < p.q_layout->segments;
      at_ = any ? p.q_layout->offsets[key_segment] : 0;
      if (any && p.causal && p.context == nullptr && p.q_layout == p.k_layout) at_ += key / kRows * kRows;
      end_ = any ? p.q_layout->offsets[key_segment + 1] : 0;
    } else {
      const std::int64_t tiles = p.q_layout->tile_count(64);
      at_ = static_cast<std::int32_t>(chunk * tiles / target.chunks);
      end_ = static_cast<std::int32_t>((chunk + 1) * tiles / target.chunks);
    }
  }

  /// False behind the last tile.
  __device__ bool next(QueryTile& tile) {
    if (direct_) {
      if (at_ >= end_) return false;
      tile = {key_segment_, at_, min(kRows, end_ - at_)};
      at_ += kRows;
      return true;
    }
    while (at_ < end_) {
      const Tile t = problem_.q_layout->tiles(64)[at_++];
      if ((prefix_ ? problem_.slot(t.segment) : problem_.key_segment(t.segment)) != key_segment_) continue;
      tile = {t.segment, t.first, min(kRows, problem_.q_layout->offsets[t.segment + 1] - t.first)};
      return true;
    }
    return false;
  }

 private:
  static constexpr std::int32_t kRows = 64;

  const AttentionProblem& problem_;
  bool prefix_, direct_;
  std::int32_t key_segment_;
  std::int32_t at_, end_;  ///< rows of the segment, or tiles of all segments
};

}  // namespace preamble::cuda
