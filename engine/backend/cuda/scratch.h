// Scratch memory of the CUDA kernels.
#pragma once

#include <cstdint>

#include "engine/graph/op.h"

namespace preamble::cuda {

/// Bytes that the kernels of a node need while they run, by the node's capacities; 0 for most ops.
[[nodiscard]] std::int64_t scratch(const NodeCost& cost);

/// May the op's kernels write an output over an operand, where the op itself allows it?
[[nodiscard]] bool runs_in_place(const Node& node, const Alias& alias) noexcept;

/// May they read an operand, or write an output, that is a part of a wider value?
[[nodiscard]] bool reads_columns(const Node& node, std::size_t operand) noexcept;
[[nodiscard]] bool writes_columns(const Node& node, std::size_t output) noexcept;

}  // namespace preamble::cuda
