// The queries that a block of keys meets, on tensor cores. Included by .cu files alone.
#pragma once

#include <climits>
#include <cstdint>

#include "engine/backend/cuda/attention/bf16_tile.cuh"
#include "engine/backend/cuda/attention/problem.cuh"
#include "engine/backend/cuda/attention/walk.cuh"

namespace preamble::cuda::tensor {

/// Queries of a tile; 16 of them for each warp where warps share the keys.
constexpr int kQueries = 64;

/// One head of one tile of queries in front of a block's keys.
struct Step {
  QueryTile queries;
  int head;
  int first;                 ///< number of the block's first key among the keys of the segment
  int all_see;               ///< keys that every query sees
  int position[2], seen[2];  ///< of queries l and l + 32 of lane l
  int hidden[2];             ///< the same, where there is a window
  int nearest, farthest;     ///< smallest and largest position
};

/// The steps of a block, those left out in which no query sees a key.
class Steps {
 public:
  /// Of `rows` keys, from number `key` of their segment on.
  __device__ Steps(const AttentionProblem& problem, const KeyTarget& target, const Tile& keys, int key, int rows, int kv_head, std::int32_t chunk)
      : p_(problem),
        prefix_(target.prefix),
        key_(key),
        rows_(rows),
        first_head_(kv_head * problem.group),
        walk_(problem, target, keys.segment, key, chunk) {}

  __device__ bool next(Step& step) {
    if (step.head + 1 < first_head_ + p_.group) {
      ++step.head;
      return true;
    }
    while (walk_.next(step.queries)) {
      if (step.queries.segment != segment_) {
        segment_ = step.queries.segment;
        first_ = prefix_ ? key_ : p_.keys(segment_).prefixes + key_;
      }
      step.first = first_;
      std::int32_t low = INT_MAX, high = 0, nearest = INT_MAX, farthest = INT_MIN;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int r = lane() + 32 * i;
        step.position[i] = 0, step.seen[i] = INT_MAX, step.hidden[i] = 0;
        if (r >= step.queries.rows) continue;
        if (p_.bias != nullptr || p_.mask) step.position[i] = p_.q_layout->positions[step.queries.first + r];
        step.seen[i] = p_.seen[step.queries.first + r];
        low = min(low, step.seen[i]), high = max(high, step.seen[i]);
        nearest = min(nearest, step.position[i]), farthest = max(farthest, step.position[i]);
      }
      if (__reduce_max_sync(~0U, high) <= step.first) continue;
      if (p_.window > 0 && leaves_keys(step)) continue;
      step.all_see = __reduce_min_sync(~0U, low);
      step.nearest = __reduce_min_sync(~0U, nearest);
      step.farthest = __reduce_max_sync(~0U, farthest);
      step.head = first_head_;
      return true;
    }
    return false;
  }
  /// Stands in front of the first step.
  [[nodiscard]] __device__ Step begin() const { return {{0, 0, 0}, INT_MAX - 1, 0, 0, {0, 0}, {0, 0}, {0, 0}, 0, 0}; }

 private:
  /// Looks up where the windows of a step's queries begin. Have all of them left the block's keys?
  __device__ bool leaves_keys(Step& step) const {
    std::int32_t low = INT_MAX;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int r = lane() + 32 * i;
      if (r >= step.queries.rows) continue;
      step.hidden[i] = p_.hidden[step.queries.first + r];
      low = min(low, step.hidden[i]);
    }
    return __reduce_min_sync(~0U, low) >= step.first + rows_;
  }

  const AttentionProblem& p_;
  bool prefix_;
  int key_, rows_, first_head_;
  int segment_ = -1, first_ = 0;  ///< of queries; number of the first key among those that they see
  QueryWalk walk_;
};

}  // namespace preamble::cuda::tensor
