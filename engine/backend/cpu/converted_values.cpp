#include "engine/backend/cpu/converted_values.h"

#include "engine/backend/backend.h"
#include "engine/backend/cpu/bf16_engine.h"
#include "engine/ops/attention.h"

namespace preamble::cpu {

Kernel own_kernel(const KernelTable& table, const Node& node) {
  const Dtype activation = activation_type(node);
  const std::string_view op = node.op->name();
  if (activation == Dtype::bf16 && (op == "attention" || op == "attention_grad")) {
    const auto has = [&](std::size_t i) { return i < node.inputs.size() && bool(node.inputs[i]); };
    if (best_bf16_engine().product == nullptr || has(Attention::kPositionKey) || has(Attention::kPositionQuery)) return nullptr;
  }
  return find_kernel(table, op, activation);
}

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
