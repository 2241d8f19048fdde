#include "engine/backend/cpu/converted_values.h"

#include <algorithm>
#include <array>
#include <string_view>

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

namespace {

/// Ops each of whose results' rows depends on the same row of their operands, but for gradients of what has no rows.
constexpr std::array<std::string_view, 9> kRowWise = {"activation", "activation_grad", "add",       "gated", "gated_grad",
                                                      "multiply",   "norm",            "norm_grad", "scale"};

std::int64_t aligned(std::int64_t bytes) noexcept {
  constexpr std::int64_t kAlignment = 64;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

bool converts_by_rows(const Node& node, std::span<const bool> used) {
  if (std::ranges::find(kRowWise, node.op->name()) == kRowWise.end()) return false;
  RowSpaceId rows = kNoRows;
  const auto fits = [&](const Type& type, bool may_have_none) {
    if (!type.has_rows()) return may_have_none;
    if (rows == kNoRows) rows = type.rows;
    return type.rows == rows;
  };
  for (const Value& input : node.inputs) {
    if (input && !fits(input.type(), true)) return false;
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (used[i] && !fits(node.outputs[i], false)) return false;
  }
  return rows != kNoRows;
}

std::int64_t ConvertedRows::bytes(const Type& type) const noexcept {
  return aligned(rows * type.width() * static_cast<std::int64_t>(sizeof(float)));
}

ConvertedRows ConvertedRows::of(const Graph& graph, const Node& node, std::span<const bool> used) {
  // so few that each kernel takes them as one task
  constexpr std::int64_t kElements = 1 << 13, kMostRows = 64;
  std::int64_t widest = 1;
  const auto for_converted = [&](const auto& body) {
    for (const Value& input : node.inputs) {
      if (input && is_converted(graph, input)) body(input.type());
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (used[i] && node.outputs[i].dtype == Dtype::bf16) body(node.outputs[i]);
    }
  };
  for_converted([&](const Type& type) { widest = type.has_rows() ? std::max(widest, type.width()) : widest; });
  ConvertedRows c;
  c.rows = std::clamp<std::int64_t>(kElements / widest, 1, kMostRows);
  for_converted([&](const Type& type) { (type.has_rows() ? c.lane : c.whole) += type.has_rows() ? c.bytes(type) : converted_bytes(graph, type); });
  return c;
}

std::int64_t converted_bytes(const Graph& graph, const Type& type) {
  constexpr std::int64_t kFloat = sizeof(float);
  return aligned(graph.capacity(type) * type.width() * kFloat);
}

}  // namespace preamble::cpu
