// Values in bf16 of a step that computes in float32.
#pragma once

#include <cstdint>

#include "engine/graph/graph.h"

namespace preamble::cpu {

/// Is a value converted for a kernel that computes in float32? bf16 values are, but for frozen matrices, which kernels read as they are
/// stored.
[[nodiscard]] bool is_converted(const Graph& graph, const Value& value);

/// Bytes of a value in float32 at capacity, a multiple of 64.
[[nodiscard]] std::int64_t converted_bytes(const Graph& graph, const Type& type);

}  // namespace preamble::cpu
