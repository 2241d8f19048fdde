#include "engine/compile/differentiate.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "engine/core/error.h"
#include "engine/graph/op.h"
#include "engine/ops/elementwise.h"

namespace preamble {
namespace {

/// Per node: does it depend on a trainable leaf?
std::vector<bool> trained(const Graph& graph) {
  std::vector<bool> depends(graph.nodes().size(), false);
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    bool any = graph.node(n).role == Role::trainable;
    for (const auto& input : graph.node(n).inputs) any = any || (input && depends[static_cast<std::size_t>(input.node)]);
    depends[static_cast<std::size_t>(n)] = any;
  }
  return depends;
}

class Gradients {
 public:
  explicit Gradients(Graph& graph) : graph_(graph) {}

  void add(Value of, Value gradient) {
    const Type& type = of.type();
    require<ShapeError>(gradient.type() == type, "differentiate: the gradient of a value of type {} is {} (node '{}')", graph_.describe(type),
                        graph_.describe(gradient.type()), graph_.node(gradient).op ? graph_.node(gradient).op->name() : "leaf");
    Value& sum = sums_[{of.node, of.output}];
    sum = sum ? preamble::add(sum, gradient) : gradient;
  }

  [[nodiscard]] Value get(std::int32_t node, std::int32_t output) const {
    const auto found = sums_.find({node, output});
    return found == sums_.end() ? Value{} : found->second;
  }

 private:
  Graph& graph_;
  std::map<std::pair<std::int32_t, std::int32_t>, Value> sums_;
};

void differentiate_node(Graph& graph, std::int32_t index, const std::vector<bool>& depends, Gradients& gradients) {
  const Node node = graph.node(index);  // a copy: the graph grows
  std::vector<Value> arriving;
  bool any = false;
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(node.outputs.size()); ++i) {
    arriving.push_back(gradients.get(index, i));
    any = any || arriving.back();
  }
  if (!any) return;
  const auto wanted = std::make_unique<bool[]>(node.inputs.size());
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    wanted[i] = node.inputs[i] && depends[static_cast<std::size_t>(node.inputs[i].node)];
  }
  graph.set_scope(node.scope);
  const auto made = node.op->gradients({graph, node, {&graph, index, 0}, arriving, {wanted.get(), node.inputs.size()}});
  for (std::size_t i = 0; i < node.inputs.size() && i < made.size(); ++i) {
    if (wanted[i] && made[i]) gradients.add(node.inputs[i], made[i]);
  }
}

}  // namespace

void differentiate(Graph& graph, std::string_view loss) {
  const Value root = graph.output(loss);
  require<ShapeError>(!root.type().has_rows() && root.type().dims.empty(), "differentiate: '{}' is {}; wanted a scalar", loss,
                      graph.describe(root.type()));
  const auto depends = trained(graph);
  require<ConfigError>(depends[static_cast<std::size_t>(root.node)], "differentiate: '{}' depends on no trainable leaf", loss);
  const std::string scope = graph.scope();
  graph.set_phase(Phase::backward);
  Gradients gradients(graph);
  graph.set_scope(graph.node(root).scope);
  gradients.add(root, constant(graph, 1.0));
  for (std::int32_t n = root.node; n >= 0; --n) {
    if (depends[static_cast<std::size_t>(n)] && graph.node(n).op) differentiate_node(graph, n, depends, gradients);
  }
  for (std::int32_t n = 0; n <= root.node; ++n) {
    if (graph.node(n).role != Role::trainable) continue;
    if (const Value gradient = gradients.get(n, 0)) graph.output("grad." + graph.node(n).name, gradient);
  }
  graph.set_phase(Phase::forward);
  graph.set_scope(scope);
}

}  // namespace preamble
