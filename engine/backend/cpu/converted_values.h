// Values in bf16 of a step that computes in float32.
#pragma once

#include <cstdint>

#include "engine/backend/cpu/table.h"
#include "engine/graph/graph.h"

namespace preamble::cpu {

/// The kernel that a node has for its own type of activations, or null: then it computes in float32 over converted values. So does attention in
/// bf16 with position tables, and on machines that multiply bf16 numbers by widening them.
[[nodiscard]] Kernel own_kernel(const KernelTable& table, const Node& node);

/// Is a value converted for a kernel that computes in float32? bf16 values are, but for frozen matrices, which kernels read as they are
/// stored.
[[nodiscard]] bool is_converted(const Graph& graph, const Value& value);

/// Bytes of a value in float32 at capacity, a multiple of 64.
[[nodiscard]] std::int64_t converted_bytes(const Graph& graph, const Type& type);

}  // namespace preamble::cpu
