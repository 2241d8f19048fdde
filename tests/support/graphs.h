// Looking into graphs, and a small transformer-like stack to look into.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "engine/graph/op.h"
#include "engine/ops/activation.h"
#include "engine/ops/attention.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"
#include "engine/ops/norm.h"
#include "tests/support/gradient_check.h"

namespace preamble::testing {

/// How many nodes have the op.
[[nodiscard]] inline std::int64_t count_ops(const Graph& graph, std::string_view op) {
  return std::ranges::count_if(graph.nodes(), [&](const Node& node) { return node.op && node.op->name() == op; });
}

/// The same among the nodes of one phase.
[[nodiscard]] inline std::int64_t count_ops(const Graph& graph, std::string_view op, Phase phase) {
  return std::ranges::count_if(graph.nodes(), [&](const Node& node) { return node.op && node.op->name() == op && node.phase == phase; });
}

/// Nodes that are no leaves, of one phase.
[[nodiscard]] inline std::int64_t count_phase(const Graph& graph, Phase phase) {
  return std::ranges::count_if(graph.nodes(), [&](const Node& node) { return node.op && node.phase == phase; });
}

/// Op names in the order of the nodes.
[[nodiscard]] inline std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> ops;
  for (const auto& node : graph.nodes()) {
    if (node.op) ops.emplace_back(node.op->name());
  }
  return ops;
}

/// A pre-norm encoder: `layers` times attention and a feed-forward layer with residuals, in scopes `block.0`, `block.1`, ...
struct Stack {
  std::int64_t width = 8;
  std::int64_t layers = 2;
  ActivationKind kind = ActivationKind::gelu;

  /// [rows, width] -> [rows, width]. Weights are frozen leaves with fixed random values.
  [[nodiscard]] Value build(Graph& graph, Value x) const {
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      const Scope scope(graph, fmt::format("block.{}", layer));
      const auto weight = [&](std::string_view name, std::int64_t out, std::int64_t in) {
        const auto seed = static_cast<std::uint64_t>(layer * 10 + static_cast<std::int64_t>(name.size()));
        return graph.frozen(fmt::format("{}.{}", layer, name), random_tensor({out, in}, seed).to(graph.real()));
      };
      const Value scales = graph.frozen(fmt::format("{}.norm", layer), random_tensor({width}, 99).to(graph.real()));
      const Value h = rms_norm(x, scales, 1e-6);
      AttentionOptions options;
      options.heads = options.kv_heads = 2;
      const Value o = attention({.q = linear(h, weight("q", width, width)),
                                 .k = linear(h, weight("kk", width, width)),
                                 .v = linear(h, weight("vvv", width, width))},
                                options);
      x = add(x, linear(o, weight("oooo", width, width)));
      const Value inner = activation(linear(rms_norm(x, scales, 1e-6), weight("inner", 4 * width, width)), kind);
      x = add(x, linear(inner, weight("outer.", width, 4 * width)));
    }
    return x;
  }
};

}  // namespace preamble::testing
