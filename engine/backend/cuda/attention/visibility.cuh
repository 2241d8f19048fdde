// What tiles of queries see: looked up once a launch, so that no block of a kernel searches. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/problem.cuh"

namespace preamble::cuda {

/// What a tile of up to 64 queries of a segment sees. Keys are numbered as in `SegmentKeys`. Kernels read it in pieces of 16 bytes.
struct alignas(16) Visibility {
  std::int32_t prefix_first, prefixes, key_first, key_count;  ///< `SegmentKeys` of the tile's segment
  std::int32_t all_see;  ///< every query sees the keys before this one, unless its window has left them; 0 for tiles of fewer than 64 rows
  std::int32_t most;     ///< no query sees this key or a later one
  std::int32_t least;    ///< no query sees an earlier key: windows have left them
  std::int32_t left;     ///< rows of the segment from the tile's first one on
  std::int32_t nearest, farthest;  ///< smallest and largest position of the queries
  std::int32_t key_position;       ///< of the segment's first own key
  std::int32_t straight;           ///< 1: positions of the queries, and of the segment's own keys, rise by one from row to row

  [[nodiscard]] __device__ SegmentKeys keys() const { return {prefix_first, prefixes, key_first, key_count, 0}; }

  /// Where a tile's record lies: starts of tiles are 64 rows apart, so no two tiles of 64 rows have the same one.
  [[nodiscard]] static __device__ std::int32_t place(std::int32_t segment, std::int32_t first) { return first / 64 + segment; }
};

static_assert(sizeof(Visibility) == AttentionScratch::kVisibility);

/// Looks up what each query sees, and each tile of 64 queries. `memory` holds `AttentionScratch::seen` bytes; the problem points at it. The same
/// launch copies the prefix.
void find_seen_keys(const Arguments& args, std::byte* memory, const PrefixCopies& prefix, AttentionProblem& problem);

}  // namespace preamble::cuda
