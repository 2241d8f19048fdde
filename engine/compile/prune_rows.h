// Computing only the rows that somebody reads.
#pragma once

#include "engine/graph/graph.h"

namespace preamble {

/// gather_rows(f(x), i) becomes f(gather_rows(x, i)) wherever nobody else reads f(x) and row r of f depends on row r of its aligned
/// operands alone, or on its place besides and i is the index of a subset, whose rows keep their places (`Op::aligned`): the rows that a
/// loss or a head does not read are not computed, down to the keys and values of the last layer. The same rule moves the gather that
/// a prompt's gradient starts with down through the backward pass of the first layer. No value changes.
[[nodiscard]] Graph prune_rows(const Graph& graph);

}  // namespace preamble
