#include "engine/compile/schedule.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "engine/compile/rewrite.h"
#include "engine/graph/op.h"
#include "engine/ops/pack_kept.h"

namespace preamble {
namespace {

std::int64_t result_bytes(const Graph& graph, const Node& node) {
  std::int64_t bytes = 0;
  for (const auto& type : node.outputs) bytes += graph.bytes(type);
  return bytes;
}

bool occupies_memory(const Graph& graph, Value value) { return value && graph.node(value).op != nullptr; }

/// Bytes of operands that nobody but `node` reads.
std::int64_t private_bytes(const Graph& graph, const Users& users, const Node& node) {
  std::int64_t bytes = 0;
  for (const auto& input : node.inputs) {
    if (occupies_memory(graph, input) && users.count(input) == 1) bytes += graph.bytes(input.type());
  }
  return bytes;
}

/// Position keys: nodes run in ascending order of (key, index).
class Scheduler {
 public:
  explicit Scheduler(const Graph& graph) : graph_(graph), users_(graph), key_(graph.nodes().size()) {
    std::iota(key_.begin(), key_.end(), 0);
  }

  Graph run() {
    hoist();
    sink();
    std::vector<std::int32_t> order(key_.size());
    std::iota(order.begin(), order.end(), 0);
    // where a recomputation and a gradient wait for the same reader, the gradient's operands live on anyway: it comes second
    std::ranges::stable_sort(order, {}, [&](std::int32_t n) {
      return std::pair(key_[static_cast<std::size_t>(n)], graph_.node(n).phase == Phase::backward);
    });
    Rewriter rewriter(graph_);
    for (const auto n : order) {
      if (graph_.node(n).op) rewriter.copy(n);
    }
    return rewriter.finish();
  }

 private:
  /// Cheap backward nodes over forward values alone move to the last of their operands.
  void hoist() {
    for (std::int32_t n = 0; n < graph_.size(); ++n) {
      const Node& node = graph_.node(n);
      if (!node.op || node.phase == Phase::forward || !node.op->cheap()) continue;
      std::int32_t latest = -1;
      std::int64_t largest = 0;
      bool movable = true;
      for (const auto& input : node.inputs) {
        if (!occupies_memory(graph_, input)) continue;
        movable = movable && graph_.node(input).phase == Phase::forward;
        latest = std::max(latest, input.node);
        largest = std::max(largest, graph_.bytes(input.type()));
      }
      if (movable && latest >= 0 && result_bytes(graph_, node) < largest) key_[static_cast<std::size_t>(n)] = key_[static_cast<std::size_t>(latest)];
    }
  }

  /// Nodes whose result is larger than what it frees wait for their first reader. Readers are placed before, so that
  /// chains sink together.
  void sink() {
    for (std::int32_t n = graph_.size() - 1; n >= 0; --n) {
      const Node& node = graph_.node(n);
      if (!node.op || users_.of(n).empty() || users_.is_result(n) || key_[static_cast<std::size_t>(n)] != n) continue;
      // what is packed shall not live until it is unpacked
      if (dynamic_cast<const PackKept*>(node.op.get()) != nullptr) continue;
      std::int32_t first = graph_.size();
      for (const auto user : users_.of(n)) first = std::min(first, key_[static_cast<std::size_t>(user)]);
      if (first > n && result_bytes(graph_, node) > private_bytes(graph_, users_, node)) key_[static_cast<std::size_t>(n)] = first;
    }
  }

  const Graph& graph_;
  Users users_;
  std::vector<std::int32_t> key_;
};

}  // namespace

Graph schedule(const Graph& graph) { return Scheduler(graph).run(); }

}  // namespace preamble
