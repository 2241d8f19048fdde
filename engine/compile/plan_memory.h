// Fixed offsets for all buffers in one arena.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/compile/liveness.h"

namespace preamble {

struct MemoryPlan {
  std::vector<std::int64_t> offsets;  ///< per buffer, multiples of kBufferAlignment
  std::int64_t arena_bytes = 0;
};

/// Assigns offsets so that buffers that live at the same time do not overlap. Greedy best fit over several orders
/// (Pisarchyk & Lee 2020, arXiv 2001.03288), then a search over the order while the arena is more than 2 % above
/// `lower_bound`; the result depends on the buffers alone.
[[nodiscard]] MemoryPlan plan_memory(const std::vector<Buffer>& buffers, std::int64_t lower_bound);

/// A part of the arena.
struct Hole {
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
};

/// The largest part of the arena that a buffer of one step (scratch memory) can have for itself: it holds its bytes at least. Of equal
/// ones the first.
[[nodiscard]] Hole largest_hole(const MemoryPlan& plan, const std::vector<Buffer>& buffers, std::int32_t scratch);

/// True if no two buffers that live at the same time overlap and all lie inside the arena.
[[nodiscard]] bool is_valid(const MemoryPlan& plan, const std::vector<Buffer>& buffers);

/// Lines `id,lower,upper,size,offset` (upper exclusive), the format of MiniMalloc and its tools.
[[nodiscard]] std::string to_csv(const MemoryPlan& plan, const std::vector<Buffer>& buffers);

}  // namespace preamble
