#include "engine/compile/recompute.h"

#include <map>
#include <utility>
#include <vector>

#include "engine/compile/rewrite.h"
#include "engine/graph/op.h"
#include "engine/ops/pack_kept.h"

namespace preamble {
namespace {

/// Copies the graph; backward nodes read kept values directly and all other forward values through copies of their
/// producers, made where they are needed.
class Recomputer {
 public:
  Recomputer(const Graph& graph, const Recomputation& choice) : graph_(graph), choice_(choice), rewriter_(graph) {}

  Graph run() {
    for (std::int32_t n = 0; n < graph_.size(); ++n) {
      const Node& node = graph_.node(n);
      if (!node.op || node.phase != Phase::forward) continue;
      rewriter_.copy(n);
      pack_results(n);
    }
    for (std::int32_t n = 0; n < graph_.size(); ++n) {
      const Node& node = graph_.node(n);
      if (!node.op || node.phase == Phase::forward) continue;
      if (!choice_.lasting.empty()) {
        fresh_.clear();
        fresh_unpacked_.clear();
      }
      const Value first = rewriter_.graph().append(node, inputs_of(node));
      for (std::int32_t i = 0; i < static_cast<std::int32_t>(node.outputs.size()); ++i) {
        rewriter_.replace({const_cast<Graph*>(&graph_), n, i}, {first.graph, first.node, i});
      }
    }
    return eliminate_dead(rewriter_.finish());
  }

 private:
  std::vector<Value> inputs_of(const Node& node) {
    std::vector<Value> inputs;
    for (const auto& input : node.inputs) {
      inputs.push_back(input && is_forward(graph_, input) ? recomputed(input) : rewriter_(input));
    }
    return inputs;
  }

  void pack_results(std::int32_t n) {
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(graph_.node(n).outputs.size()); ++i) {
      const auto form = choice_.forms.find({n, i});
      if (form == choice_.forms.end() || !choice_.kept.contains({n, i})) continue;
      rewriter_.graph().set_scope(graph_.node(n).scope);
      packed_.emplace(ValueKey{n, i}, pack_kept(rewriter_({const_cast<Graph*>(&graph_), n, i}), form->second));
    }
  }

  Value unpacked(Value value, Value packed, bool lasts) {
    for (auto* made : {&fresh_unpacked_, lasts ? &unpacked_ : nullptr}) {
      if (made == nullptr) continue;
      if (const auto found = made->find(key_of(value)); found != made->end()) return found->second;
    }
    rewriter_.graph().set_scope(graph_.node(value).scope);
    rewriter_.graph().set_phase(Phase::recompute);
    const Value whole = unpack_kept(packed, choice_.forms.at(key_of(value)));
    rewriter_.graph().set_phase(Phase::forward);
    fresh_unpacked_[key_of(value)] = whole;
    unpacked_.try_emplace(key_of(value), whole);
    return whole;
  }

  Value recomputed(Value value) {
    const bool lasts = choice_.lasting.empty() || choice_.lasting.contains(key_of(value));
    if (const auto packed = packed_.find(key_of(value)); packed != packed_.end()) return unpacked(value, packed->second, lasts);
    if (choice_.kept.contains(key_of(value))) return rewriter_(value);
    for (auto* clones : {&fresh_, lasts ? &first_ : nullptr}) {
      if (clones == nullptr) continue;
      if (const auto found = clones->find(value.node); found != clones->end()) return {&rewriter_.graph(), found->second, value.output};
    }
    Node node = graph_.node(value);
    auto inputs = inputs_of(node);
    node.phase = Phase::recompute;
    const std::int32_t clone = rewriter_.graph().append(node, std::move(inputs)).node;
    fresh_[value.node] = clone;
    first_.try_emplace(value.node, clone);
    return {&rewriter_.graph(), clone, value.output};
  }

  const Graph& graph_;
  const Recomputation& choice_;
  Rewriter rewriter_;
  std::map<std::int32_t, std::int32_t> fresh_;  ///< made for the present backward node
  std::map<std::int32_t, std::int32_t> first_;  ///< made first of all
  std::map<ValueKey, Value> packed_;            ///< kept values in their reduced form
  std::map<ValueKey, Value> fresh_unpacked_, unpacked_;
};

}  // namespace

bool is_forward(const Graph& graph, Value value) {
  const Node& node = graph.node(value);
  return node.op != nullptr && node.phase == Phase::forward;
}

Graph recompute(const Graph& graph, const Recomputation& choice) { return Recomputer(graph, choice).run(); }

}  // namespace preamble
