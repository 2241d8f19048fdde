#include "engine/compile/rewrite.h"

#include <algorithm>
#include <memory>

#include "engine/backend/backend.h"
#include "engine/graph/op.h"

namespace preamble {

Users::Users(const Graph& graph) : graph_(graph), users_(graph.nodes().size()), result_(graph.nodes().size(), false) {
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    for (const auto& input : graph.node(n).inputs) {
      if (input) users_[static_cast<std::size_t>(input.node)].push_back(n);
    }
  }
  for (const auto& [name, value] : graph.outputs()) result_[static_cast<std::size_t>(value.node)] = true;
}

int Users::count(Value value) const {
  int count = 0;
  std::int32_t previous = -1;
  for (const auto user : of(value.node)) {
    if (user == previous) continue;
    previous = user;
    count += static_cast<int>(std::ranges::count(graph_.node(user).inputs, value));
  }
  for (const auto& [name, result] : graph_.outputs()) count += result == value ? 1 : 0;
  return count;
}

Rewriter::Rewriter(const Graph& from) : from_(from), to_(from.real()), map_(from.nodes().size()) {
  for (const auto& space : from.row_spaces()) to_.declare(space);
  for (std::int32_t n = 0; n < from.size(); ++n) {
    if (!from.node(n).op) copy(n);
  }
}

Value Rewriter::operator()(Value old) const {
  if (!old) return {};
  const auto& values = map_.at(static_cast<std::size_t>(old.node));
  return values.empty() ? Value{} : values.at(static_cast<std::size_t>(old.output));
}

std::vector<Value> Rewriter::operator()(const std::vector<Value>& old) const {
  std::vector<Value> values;
  values.reserve(old.size());
  for (const auto& value : old) values.push_back((*this)(value));
  return values;
}

void Rewriter::replace(Value old, Value value) {
  auto& values = map_.at(static_cast<std::size_t>(old.node));
  values.resize(from_.node(old).outputs.size());
  values[static_cast<std::size_t>(old.output)] = value;
}

const Node& Rewriter::enter(std::int32_t node) {
  const Node& old = from_.node(node);
  to_.set_scope(old.scope);
  to_.set_phase(old.phase);
  return old;
}

void Rewriter::copy(std::int32_t node) {
  const Node& old = from_.node(node);
  const Value first = to_.append(old, (*this)(old.inputs));
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(old.outputs.size()); ++i) {
    replace({const_cast<Graph*>(&from_), node, i}, {&to_, first.node, i});
  }
}

Graph Rewriter::finish() {
  for (const auto& [name, value] : from_.outputs()) to_.output(name, (*this)(value));
  return std::move(to_);
}

Graph eliminate_dead(const Graph& graph) {
  std::vector<bool> needed(graph.nodes().size(), false);
  for (const auto& [name, value] : graph.outputs()) needed[static_cast<std::size_t>(value.node)] = true;
  for (std::int32_t n = graph.size() - 1; n >= 0; --n) {
    if (!needed[static_cast<std::size_t>(n)]) continue;
    for (const auto& input : graph.node(n).inputs) {
      if (input) needed[static_cast<std::size_t>(input.node)] = true;
    }
  }
  Rewriter rewriter(graph);
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    if (graph.node(n).op && needed[static_cast<std::size_t>(n)]) rewriter.copy(n);
  }
  return rewriter.finish();
}

std::vector<std::vector<bool>> used_outputs(const Graph& graph) {
  std::vector<std::vector<bool>> used;
  used.reserve(graph.nodes().size());
  for (const auto& node : graph.nodes()) used.emplace_back(node.outputs.size(), false);
  const auto mark = [&](Value value) { used[static_cast<std::size_t>(value.node)][static_cast<std::size_t>(value.output)] = true; };
  for (const auto& node : graph.nodes()) {
    for (const auto& input : node.inputs) {
      if (input) mark(input);
    }
  }
  for (const auto& [name, value] : graph.outputs()) mark(value);
  return used;
}

namespace {

/// Calls estimate(cost) for a node that is no leaf.
template <class Estimate>
double estimate_of(const Graph& graph, std::int32_t node, const std::vector<bool>& used, const Estimate& estimate) {
  const Node& n = graph.node(node);
  if (!n.op) return 0;
  const auto flags = std::make_unique<bool[]>(used.size());
  std::ranges::copy(used, flags.get());
  return estimate(NodeCost{graph, n, {flags.get(), used.size()}});
}

template <class Estimate>
double sum_of(const Graph& graph, const Estimate& estimate) {
  const auto used = used_outputs(graph);
  double total = 0;
  for (std::int32_t n = 0; n < graph.size(); ++n) total += estimate(n, used[static_cast<std::size_t>(n)]);
  return total;
}

}  // namespace

double flops_of(const Graph& graph, std::int32_t node, const std::vector<bool>& used) {
  return estimate_of(graph, node, used, [](const NodeCost& cost) { return cost.node.op->flops(cost); });
}

double flops_of(const Graph& graph) {
  return sum_of(graph, [&](std::int32_t node, const std::vector<bool>& used) { return flops_of(graph, node, used); });
}

double work_of(const Graph& graph, std::int32_t node, const std::vector<bool>& used, const Backend& backend) {
  return estimate_of(graph, node, used, [&](const NodeCost& cost) { return backend.work(cost); });
}

double work_of(const Graph& graph, const Backend& backend) {
  return sum_of(graph, [&](std::int32_t node, const std::vector<bool>& used) { return work_of(graph, node, used, backend); });
}

}  // namespace preamble
