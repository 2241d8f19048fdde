// What cost estimates ask of a node.
#pragma once

#include <cstddef>

#include "engine/graph/op.h"

namespace preamble {

/// Does the node have this operand?
[[nodiscard]] inline bool has(const NodeCost& cost, std::size_t operand) {
  return operand < cost.node.inputs.size() && cost.node.inputs[operand].defined();
}

/// The node's op, which is a `T`.
template <class T>
[[nodiscard]] const T& op_of(const NodeCost& cost) {
  return static_cast<const T&>(*cost.node.op);
}

}  // namespace preamble
