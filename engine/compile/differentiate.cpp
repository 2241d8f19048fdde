#include "engine/compile/differentiate.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "engine/core/error.h"
#include "engine/graph/capacity.h"
#include "engine/graph/op.h"
#include "engine/ops/accumulate.h"
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
    require<ShapeError>(gradient.type() == type, "differentiate: the gradient of a value of type {} is {} (node '{}')",
                        graph_.describe(type), graph_.describe(gradient.type()),
                        graph_.node(gradient).op ? graph_.node(gradient).op->name() : "leaf");
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

/// Marks the gradients of trainable leaves as results, each when the last of its terms is there.
class Results {
 public:
  Results(Graph& graph, const Gradients& gradients, std::int32_t root) : graph_(graph), gradients_(gradients) {
    for (std::int32_t n = root; n >= 0; --n) {
      for (const auto& input : graph.node(n).inputs) {
        if (input && graph.node(input).role == Role::trainable) first_user_[input.node] = n;
      }
    }
  }

  /// Adds up every result from now on.
  void accumulate(std::string_view loss) {
    first_part_ = graph_.input(kFirstPart, {Dtype::i32, kNoRows, {}});
    const Value value = graph_.output(loss);
    graph_.output(sum_name(loss), preamble::accumulate(sum_leaf(loss, Dtype::f64, value.type()), value, first_part_));
  }

  /// All gradient nodes of node `n` have been made.
  void passed(std::int32_t n) {
    const std::vector<Value> inputs = graph_.node(n).inputs;  // a copy: the graph grows
    for (const auto& input : inputs) {
      const auto found = input ? first_user_.find(input.node) : first_user_.end();
      if (found == first_user_.end() || found->second != n) continue;
      first_user_.erase(found);
      complete(input.node);
    }
  }

  /// The gradient of a leaf has all its terms.
  void complete(std::int32_t leaf) {
    const std::string name = graph_.node(leaf).name;  // a copy: the graph grows
    if (const Value gradient = gradients_.get(leaf, 0)) add(name, gradient);
  }

 private:
  void add(const std::string& leaf, Value gradient) {
    if (first_part_) gradient = preamble::accumulate(sum_leaf(leaf, gradient.type().dtype, gradient.type()), gradient, first_part_);
    graph_.output("grad." + leaf, gradient);
  }

  Value sum_leaf(std::string_view of, Dtype dtype, const Type& type) {
    return graph_.state(sum_name(of), Tensor(dtype, capacity_dims(graph_, type)), type.rows);
  }

  Graph& graph_;
  const Gradients& gradients_;
  std::map<std::int32_t, std::int32_t> first_user_;
  Value first_part_;
};

}  // namespace

std::string sum_name(std::string_view result) { return fmt::format("sum.{}", result); }

void differentiate(Graph& graph, std::string_view loss, bool accumulate) {
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
  Results results(graph, gradients, root.node);
  if (accumulate) results.accumulate(loss);
  for (std::int32_t n = root.node; n >= 0; --n) {
    if (!depends[static_cast<std::size_t>(n)] || !graph.node(n).op) continue;
    differentiate_node(graph, n, depends, gradients);
    results.passed(n);
  }
  if (graph.node(root).role == Role::trainable) results.complete(root.node);
  graph.set_phase(Phase::forward);
  graph.set_scope(scope);
}

}  // namespace preamble
