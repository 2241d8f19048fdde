#include "engine/compile/kept_forms.h"

#include <cstddef>
#include <vector>

#include "engine/graph/op.h"
#include "engine/ops/activation.h"
#include "engine/ops/attention.h"
#include "engine/ops/gated.h"

namespace preamble {
namespace {

using Key = std::pair<std::int32_t, std::int32_t>;

/// A row whose scale would weigh as much as its numbers is left as it is.
constexpr std::int64_t kNarrowest = 32;

/// Rows of the numbers that the node computes: its first result or one like it. Statistics are other types.
bool is_activation(const Graph& graph, const Key& value) {
  const Node& node = graph.node(value.first);
  const Type& type = node.outputs[static_cast<std::size_t>(value.second)];
  return node.op && node.phase == Phase::forward && type.has_rows() && type.dims.size() == 1 && type.width() >= kNarrowest &&
         type.dtype == graph.real() && type == node.outputs.front();
}

/// Does the operand serve for the slope of a function alone?
bool is_argument(const Node& reader, std::size_t operand) {
  if (dynamic_cast<const ActivationGrad*>(reader.op.get()) != nullptr) return operand == ActivationGrad::kKept;
  return dynamic_cast<const GatedGrad*>(reader.op.get()) != nullptr && operand == 0;
}

/// Values that the backward pass reads, and reads as arguments of functions alone.
std::set<Key> arguments_of_functions(const Graph& graph) {
  std::set<Key> arguments, others;
  for (const auto& node : graph.nodes()) {
    if (!node.op || node.phase == Phase::forward) continue;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i]) (is_argument(node, i) ? arguments : others).emplace(node.inputs[i].node, node.inputs[i].output);
    }
  }
  for (const auto& value : others) arguments.erase(value);
  return arguments;
}

/// Kept values that the log-sum-exp of an attention is made of, where that is kept, too: exp(score - log-sum-exp) is a probability only if both are
/// of the same queries and keys, and an error of a score is a factor of it. (Values are no matter.)
std::set<Key> made_into_probabilities(const Graph& graph, const std::set<Key>& kept) {
  constexpr std::size_t kValue = 2, kOperands = 12;
  std::set<Key> exact, seen;
  std::vector<Value> open;
  for (const auto& node : graph.nodes()) {
    if (dynamic_cast<const AttentionGrad*>(node.op.get()) == nullptr) continue;
    const Value lse = node.inputs.at(AttentionGrad::kLogSumExp);
    if (!lse || !kept.contains({lse.node, lse.output})) continue;
    for (std::size_t i = 0; i < kOperands; ++i) {
      if (i != kValue && node.inputs[i]) open.push_back(node.inputs[i]);
    }
  }
  while (!open.empty()) {
    const Value value = open.back();
    open.pop_back();
    const Node& node = graph.node(value);
    if (!node.op || node.phase != Phase::forward || !seen.emplace(value.node, value.output).second) continue;
    if (kept.contains({value.node, value.output})) {
      exact.emplace(value.node, value.output);
      continue;
    }
    for (const auto& input : node.inputs) {
      if (input) open.push_back(input);
    }
  }
  return exact;
}

}  // namespace

KeptForms reduced_forms(const Graph& graph, const std::set<Key>& kept, KeptForm form) {
  KeptForms forms;
  if (form == KeptForm::exact) return forms;
  const std::set<Key> arguments = arguments_of_functions(graph), exact = made_into_probabilities(graph, kept);
  for (const auto& value : kept) {
    if (!is_activation(graph, value) || exact.contains(value)) continue;
    const bool bytes = form == KeptForm::int8 && arguments.contains(value);
    if (!bytes && graph.real() == Dtype::bf16) continue;
    forms.emplace(value, bytes ? KeptForm::int8 : KeptForm::bf16);
  }
  return forms;
}

}  // namespace preamble
