// In which order blocks take items of an attention, one after the other. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/layout.h"

namespace preamble::cuda {

/// Tile `index` of those of so many rows, in the order in which blocks take them: where all segments have as many, the first (or last) tile
/// of each segment, then the second ones. So what takes longest in causal segments is begun first. False behind the last tile.
template <int rows>
[[nodiscard]] __device__ inline bool find_tile_in_turn(const Layout& layout, std::int32_t index, bool last_first, Tile& tile) {
  const std::int32_t count = layout.tile_count(rows), segments = layout.segments;
  if (index >= count) return false;
  std::int32_t at = last_first ? count - 1 - index : index;
  if (count % segments == 0) {
    const std::int32_t tiles = count / segments, rank = index / segments;
    at = index % segments * tiles + (last_first ? tiles - 1 - rank : rank);
  }
  tile = layout.tiles(rows)[at];
  return true;
}

/// Waits for the 128 threads that copy. The block's own barrier is 0.
__device__ inline void wait_for_copying_warps() { asm volatile("bar.sync 1, 128;\n" ::: "memory"); }

/// Numbers of items for the copying warpgroups of all blocks: whoever is done first takes the next one. All threads of them call it alike.
class Turns {
 public:
  /// `taken`: in global memory, 0 before the launch. `next`: in shared memory.
  __device__ Turns(std::int32_t* taken, std::int32_t (&next)[2]) : taken_(taken), next_(next) {}

  [[nodiscard]] __device__ std::int32_t first() const { return static_cast<std::int32_t>(blockIdx.x); }
  /// Asks for an item, `take` returns its number: it takes long to come.
  __device__ void ask() {
    if (threadIdx.x == 0) asked_ = static_cast<std::int32_t>(gridDim.x) + atomicAdd(taken_, 1);
  }
  [[nodiscard]] __device__ std::int32_t take() {
    if (threadIdx.x == 0) next_[at_] = asked_;
    wait_for_copying_warps();
    const std::int32_t item = next_[at_];
    // the other place next time: whoever is late may still read this one
    at_ ^= 1;
    return item;
  }

 private:
  std::int32_t* taken_;
  std::int32_t (&next_)[2];
  std::int32_t asked_ = 0;
  int at_ = 0;
};

}  // namespace preamble::cuda
