#include "engine/compile/prune_rows.h"

#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/compile/rewrite.h"
#include "engine/graph/op.h"
#include "engine/ops/gather_rows.h"

namespace preamble {
namespace {

/// The node as a gather that may move, or null: one whose gradient leaves rows out stays where it is.
const GatherRows* as_gather(const Node& node) {
  const auto* gather = dynamic_cast<const GatherRows*>(node.op.get());
  return gather != nullptr && gather->skip < 0 ? gather : nullptr;
}

/// Is `index` known to select rows of `from` that keep their places? So does the index of a subset, and one subset's index read through
/// another's.
bool keeps_places(const Graph& graph, Value index, RowSpaceId from) {
  if (!index.type().has_rows()) return false;
  const RowSpace& to = graph.rows(index.type().rows);
  const Node& node = graph.node(index);
  if (!node.op) return to.is_subset() && to.parent == from && node.role == Role::input && node.name == to.index();
  if (as_gather(node) == nullptr) return false;
  const Value inner = node.inputs[GatherRows::kTable];
  return keeps_places(graph, inner, from) && keeps_places(graph, node.inputs[GatherRows::kIndex], inner.type().rows);
}

class Pruner {
 public:
  explicit Pruner(const Graph& graph) : graph_(graph), users_(graph), rewriter_(graph), done_(graph.nodes().size(), false) {}

  Graph run() {
    for (std::int32_t n = 0; n < graph_.size(); ++n) {
      const Node& node = graph_.node(n);
      if (!node.op || only_gathered(n)) continue;  // rows of these are made on demand
      emit(n);
    }
    return eliminate_dead(rewriter_.finish());
  }

 private:
  /// The one index by which every reader of `node` takes rows of it, or an undefined value.
  Value only_gathered(std::int32_t n) {
    const auto [entry, fresh] = index_.try_emplace(n);
    if (!fresh) return entry->second;
    const Value index = find_index(n);
    return index_[n] = index;
  }

  Value find_index(std::int32_t n) {
    const Node& node = graph_.node(n);
    if (!node.op || node.op->aligned().operands == 0 || users_.is_result(n) || users_.of(n).empty()) return {};
    Value common;
    for (const auto user : users_.of(n)) {
      const Node& reader = graph_.node(user);
      Value index;
      for (std::size_t i = 0; i < reader.inputs.size(); ++i) {
        if (!reader.inputs[i] || reader.inputs[i].node != n) continue;
        if (reader.inputs[i].output != 0) return {};
        if (as_gather(reader) != nullptr && i == GatherRows::kTable) {
          index = reader.inputs[GatherRows::kIndex];
        } else if (reader.op->aligned().includes(i)) {
          index = only_gathered(user);
        } else {
          return {};
        }
        if (!index || (common && !(common == index))) return {};
        common = index;
      }
    }
    const bool placed = node.op->aligned().reads == Alignment::Reads::row_and_place;
    return !placed || keeps_places(graph_, common, node.outputs[0].rows) ? common : Value{};
  }

  void emit(std::int32_t n) {
    if (done_[static_cast<std::size_t>(n)]) return;
    done_[static_cast<std::size_t>(n)] = true;
    const Node& node = graph_.node(n);
    if (as_gather(node) != nullptr) {
      const Value table = node.inputs[GatherRows::kTable];
      const Value index = node.inputs[GatherRows::kIndex];
      if (graph_.node(table).op && only_gathered(table.node) == index) {
        ready(index);
        rewriter_.replace({const_cast<Graph*>(&graph_), n, 0}, gathered(table, index));
        return;
      }
    }
    for (const auto& input : node.inputs) ready(input);
    rewriter_.copy(n);
  }

  void ready(Value value) {
    if (value && !rewriter_(value)) emit(value.node);
  }

  /// Rows `index` of `value` in the new graph.
  Value gathered(Value value, Value index) {
    const auto key = std::tuple(value.node, value.output, index.node);
    if (const auto found = made_.find(key); found != made_.end()) return found->second;
    const Node& node = graph_.node(value);
    Value result;
    if (node.op && only_gathered(value.node) == index) {
      std::vector<Value> inputs;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const Value input = node.inputs[i];
        if (input && node.op->aligned().includes(i)) {
          inputs.push_back(gathered(input, index));
        } else {
          ready(input);
          inputs.push_back(rewriter_(input));
        }
      }
      result = rewriter_.graph().append(node, std::move(inputs));
    } else {
      ready(value);
      rewriter_.enter(value.node);
      result = gather_rows(rewriter_(value), rewriter_(index));
    }
    return made_[key] = result;
  }

  const Graph& graph_;
  Users users_;
  Rewriter rewriter_;
  std::vector<bool> done_;
  std::map<std::int32_t, Value> index_;
  std::map<std::tuple<std::int32_t, std::int32_t, std::int32_t>, Value> made_;
};

}  // namespace

Graph prune_rows(const Graph& graph) { return Pruner(graph).run(); }

}  // namespace preamble
