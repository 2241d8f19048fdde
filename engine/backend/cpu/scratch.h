// Scratch memory of the CPU kernels.
#pragma once

#include <cstdint>

#include "engine/graph/op.h"

namespace preamble::cpu {

/// Bytes that the kernel of a node needs while it runs, by the node's capacities; 0 for most ops.
[[nodiscard]] std::int64_t scratch(const NodeCost& cost);

}  // namespace preamble::cpu
