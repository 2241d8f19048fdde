#include "engine/backend/cpu/converted_values.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/bf16_engine.h"
#include "engine/backend/cpu/norm_width.h"
#include "engine/ops/attention.h"
#include "engine/ops/head_linear.h"
#include "engine/ops/norm.h"

namespace preamble::cpu {
namespace {

/// Kernels that read and write rows of one type, and float32 numbers else.
constexpr std::array<std::string_view, 5> kOfOneType = {"add", "gated", "gated_grad", "norm", "norm_grad"};

bool has_one_type(const Node& node) {
  const auto fits = [](const Type& type) { return type.dtype == (type.has_rows() ? Dtype::bf16 : Dtype::f32); };
  return std::ranges::all_of(node.inputs, [&](const Value& input) { return !input || fits(input.type()); }) && std::ranges::all_of(node.outputs, fits);
}

bool fits_norm(const Node& node) {
  const std::string_view op = node.op->name();
  const std::int64_t width = node.inputs[0].type().width();
  if (op == "norm") return width / static_cast<const Norm&>(*node.op).parts <= kMostNormWidth;
  return op != "norm_grad" || width / static_cast<const NormGrad&>(*node.op).parts <= kMostNormWidth;
}

/// Rows and columns of each head's matrix are whole units of a product.
bool fits_heads(const Node& node) {
  const std::int64_t heads = static_cast<const HeadLinear&>(*node.op).heads;
  const auto fits = [&](const Type& type) { return type.width() / heads % Bf16Panel::kDepth == 0; };
  static_assert(Bf16Panel::kDepth == Bf16Panel::kColumns);
  return fits(node.inputs[HeadLinear::kInput].type()) && fits(node.outputs[0]);
}

}  // namespace

Kernel own_kernel(const KernelTable& table, const Node& node) {
  const Dtype activation = activation_type(node);
  const std::string_view op = node.op->name();
  if (activation == Dtype::bf16 && (op == "attention" || op == "attention_grad")) {
    const auto has = [&](std::size_t i) { return i < node.inputs.size() && bool(node.inputs[i]); };
    if (best_bf16_engine().product == nullptr || has(Attention::kPositionKey) || has(Attention::kPositionQuery)) return nullptr;
  }
  if (activation == Dtype::bf16 && op == "head_linear" && !fits_heads(node)) return nullptr;
  if (activation == Dtype::bf16 && std::ranges::find(kOfOneType, op) != kOfOneType.end() && !(has_one_type(node) && fits_norm(node))) return nullptr;
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
