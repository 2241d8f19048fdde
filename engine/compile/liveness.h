// Buffers: which values share memory, and from which step to which they are alive.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/compile/column_views.h"
#include "engine/graph/graph.h"

namespace preamble {

/// A block of arena memory over an interval of steps, both ends included.
struct Buffer {
  std::int64_t bytes = 0;
  std::int32_t first = 0;
  std::int32_t last = 0;
};

/// Memory of a graph whose nodes run in their order. Steps are node indices; leaves cost nothing at theirs.
struct Liveness {
  std::vector<Buffer> buffers;
  /// [node][output]: buffer of the value, -1 if it has none (leaf memory, an output that nobody reads).
  std::vector<std::vector<std::int32_t>> buffer_of;
  /// Values that lie in columns of a wider one: their buffer is its buffer.
  ColumnViews columns;
  /// [node]: buffer of the node's scratch memory, -1 if it needs none.
  std::vector<std::int32_t> workspace_of;
  /// Largest sum of bytes that are alive at one step: no arena can be smaller.
  std::int64_t lower_bound = 0;
  /// The step at which that happens.
  std::int32_t peak_step = 0;
};

/// Input leaves are filled before the first step and results are read after the last one. Where an op and the backend allow it, its
/// output takes over the buffer of an operand that dies at it. The backend says how much scratch memory a node needs.
[[nodiscard]] Liveness analyse_liveness(const Graph& graph, const Backend& backend);

/// Sizes are rounded up to this, so that every buffer begins at a cache line.
inline constexpr std::int64_t kBufferAlignment = 64;

}  // namespace preamble
