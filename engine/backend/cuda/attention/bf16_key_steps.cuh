// The queries that a block of keys meets, on tensor cores. Included by .cu files alone.
#pragma once

#include <climits>
#include <cstdint>

#include "engine/backend/cuda/attention/bf16_tile.cuh"
#include "engine/backend/cuda/attention/visibility.cuh"
#include "engine/backend/cuda/attention/walk.cuh"

namespace preamble::cuda::tensor {

/// Queries of a tile; 16 of them for each warp where warps share the keys.
constexpr int kQueries = 64;

/// One head of one tile of queries in front of a block's keys.
struct Step {
  QueryTile queries;
  int head;
};

/// The steps of a block. Those in which windows have left the keys are left out, others in which no query sees a key are not.
class Steps {
 public:
  /// Of `rows` keys, from number `key` of their segment on.
  __device__ Steps(const AttentionProblem& problem, const KeyTarget& target, std::int32_t key_segment, int key, int rows, int kv_head,
                   std::int32_t chunk)
      : p_(problem),
        end_(key + rows),
        prefix_(target.prefix),
        first_head_(kv_head * problem.group),
        walk_(problem, target, key_segment, key, chunk) {}

  __device__ bool next(Step& step) {
    if (step.head + 1 < first_head_ + p_.group) {
      ++step.head;
      return true;
    }
    do {
      if (!walk_.next(step.queries)) return false;
    } while (p_.window > 0 && leaves_keys(step.queries));
    step.head = first_head_;
    return true;
  }
  /// Stands in front of the first step.
  [[nodiscard]] __device__ Step begin() const { return {{0, 0, 0}, INT_MAX - 1}; }

 private:
  [[nodiscard]] __device__ bool leaves_keys(const QueryTile& queries) const {
    const Visibility& record = p_.tiles[Visibility::place(queries.segment, queries.first)];
    return record.least >= end_ + (prefix_ ? 0 : record.prefixes);
  }

  const AttentionProblem& p_;
  int end_;  ///< number of the key behind the block's last one in its segment
  bool prefix_;
  int first_head_;
  QueryWalk walk_;
};

}  // namespace preamble::cuda::tensor
