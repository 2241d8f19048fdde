#include "engine/backend/cpu/converted_values.h"

namespace preamble::cpu {

bool is_converted(const Graph& graph, const Value& value) {
  const Node& node = graph.node(value.node);
  const Type& type = node.outputs[static_cast<std::size_t>(value.output)];
  const bool frozen = !node.op && node.role == Role::frozen && !type.has_rows();
  return type.dtype == Dtype::bf16 && !frozen;
}

std::int64_t converted_bytes(const Graph& graph, const Type& type) {
  constexpr std::int64_t kFloat = sizeof(float), kAlignment = 64;
  return (graph.capacity(type) * type.width() * kFloat + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace preamble::cpu
