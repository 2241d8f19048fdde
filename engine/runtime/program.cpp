#include "engine/runtime/program.h"

#include <set>
#include <utility>

#include "engine/compile/liveness.h"
#include "engine/compile/rewrite.h"
#include "engine/core/error.h"
#include "engine/graph/op.h"

namespace preamble {
namespace {

std::size_t at(std::int32_t i) noexcept { return static_cast<std::size_t>(i); }

/// The leaf whose memory a value lies in, following updates of state.
std::int32_t leaf_behind(const Graph& graph, Value value) {
  for (;;) {
    const Node& node = graph.node(value);
    if (!node.op) return node.role == Role::input ? -1 : value.node;
    std::int32_t operand = -1;
    for (const auto& alias : node.op->aliases()) {
      if (alias.must && alias.output == value.output) operand = alias.input;
    }
    if (operand < 0) return -1;
    value = node.inputs.at(at(operand));
  }
}

}  // namespace

Program::Program(Graph graph, const Backend& backend, std::vector<PassReport> passes)
    : backend_(backend),
      graph_(std::move(graph)),
      liveness_(analyse_liveness(graph_, backend)),
      plan_(plan_memory(liveness_.buffers, liveness_.lower_bound)),
      passes_(std::move(passes)) {
  const auto used = used_outputs(graph_);
  for (std::int32_t n = 0; n < graph_.size(); ++n) {
    const Node& node = graph_.node(n);
    if (!node.op) continue;
    Step step;
    step.node = n;
    require_kernel(backend, node);
    for (const auto& input : node.inputs) step.in.push_back(input ? location(input) : Location{});
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(node.outputs.size()); ++i) step.out.push_back(location({&graph_, n, i}));
    if (const auto scratch = liveness_.workspace_of[at(n)]; scratch >= 0) {
      const Hole hole = largest_hole(plan_, liveness_.buffers, scratch);
      step.workspace = hole.offset;
      step.workspace_bytes = hole.bytes;
    }
    flops_ += flops_of(graph_, n, used[at(n)]);
    steps_.push_back(std::move(step));
  }
}

Location Program::location(Value value) const {
  const std::int32_t buffer = liveness_.buffer_of[at(value.node)][at(value.output)];
  if (buffer >= 0) {
    Location found{value.node, value.output, plan_.offsets[at(buffer)], -1};
    if (const auto view = liveness_.columns.find({value.node, value.output}); view != liveness_.columns.end()) {
      found.offset += view->second.first * static_cast<std::int64_t>(size_of(value.type().dtype));
      found.stride = view->second.stride;
    }
    return found;
  }
  return {value.node, value.output, -1, leaf_behind(graph_, value)};
}

Location Program::result(std::string_view name) const { return location(graph_.output(name)); }

Location Program::input(std::string_view name) const {
  for (std::int32_t n = 0; n < graph_.size(); ++n) {
    if (graph_.node(n).role == Role::input && graph_.node(n).name == name) return location({const_cast<Graph*>(&graph_), n, 0});
  }
  raise<ConfigError>("input '{}': the program has none of that name", name);
}

bool Program::has_input(std::string_view name) const {
  for (const auto& node : graph_.nodes()) {
    if (node.role == Role::input && node.name == name) return true;
  }
  return false;
}

std::int64_t Program::leaf_bytes(Role role) const {
  std::int64_t bytes = 0;
  std::set<const void*> seen;  // tied leaves share memory
  for (const auto& node : graph_.nodes()) {
    if (!node.op && node.role == role && seen.insert(node.tensor.data()).second) bytes += static_cast<std::int64_t>(node.tensor.bytes());
  }
  return bytes;
}

double Program::flops(Phase phase) const {
  const auto used = used_outputs(graph_);
  double sum = 0;
  for (const auto& step : steps_) {
    if (graph_.node(step.node).phase == phase) sum += flops_of(graph_, step.node, used[at(step.node)]);
  }
  return sum;
}

}  // namespace preamble
