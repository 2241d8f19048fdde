#include "engine/compile/keep_outputs.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/compile/rewrite.h"
#include "engine/graph/op.h"
#include "engine/ops/attention.h"

namespace preamble {
namespace {

/// o of the attention that a node is the gradient of, if that gradient shall read it; else undefined.
Value output_for(const Graph& graph, const Node& node, const std::vector<bool>& used) {
  if (dynamic_cast<const AttentionGrad*>(node.op.get()) == nullptr) return {};
  const auto has = [&](std::size_t i) { return i < node.inputs.size() && node.inputs[i]; };
  if (has(AttentionGrad::kOutput) || has(Attention::kBiasTable)) return {};
  // the gradients of values alone need no scores
  bool needs_scores = false;
  for (std::size_t i = 0; i < used.size(); ++i) {
    needs_scores = needs_scores || (used[i] && i != Attention::kValue && i != Attention::kPrefixValue);
  }
  if (!needs_scores) return {};
  const Value statistic = node.inputs[AttentionGrad::kLogSumExp];
  if (dynamic_cast<const Attention*>(graph.node(statistic).op.get()) == nullptr) return {};
  return {statistic.graph, statistic.node, static_cast<std::int32_t>(Attention::kOutput)};
}

}  // namespace

Graph keep_attention_outputs(const Graph& graph) {
  const auto used = used_outputs(graph);
  Rewriter rewriter(graph);
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    if (!node.op) continue;
    const Value output = output_for(graph, node, used[static_cast<std::size_t>(n)]);
    if (!output) {
      rewriter.copy(n);
      continue;
    }
    std::vector<Value> inputs = rewriter(node.inputs);
    inputs.resize(AttentionGrad::kOutput + 1);
    inputs[AttentionGrad::kOutput] = rewriter(output);
    const Value first = rewriter.graph().append(node, std::move(inputs));
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(node.outputs.size()); ++i) {
      rewriter.replace({const_cast<Graph*>(&graph), n, i}, {first.graph, first.node, i});
    }
  }
  return rewriter.finish();
}

}  // namespace preamble
