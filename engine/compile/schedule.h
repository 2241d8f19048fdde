// The order in which nodes run.
#pragma once

#include "engine/graph/graph.h"

namespace preamble {

/// Copy of the graph in the order that its nodes shall run in. Nodes keep the order in which they were made, with two
/// exceptions that shorten lives: a node runs right before its first reader when its result is larger than the operands
/// that die with it, and a cheap backward node that reads forward values only runs in the forward pass when that frees
/// more than it keeps.
[[nodiscard]] Graph schedule(const Graph& graph);

}  // namespace preamble
