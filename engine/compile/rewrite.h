// What passes are made of: copying a graph node by node, with changes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "engine/graph/graph.h"

namespace preamble {

class Backend;

/// Who reads the values of a graph.
class Users {
 public:
  explicit Users(const Graph& graph);

  /// Nodes that read any output of `node`, ascending; a node that reads twice stands twice.
  [[nodiscard]] const std::vector<std::int32_t>& of(std::int32_t node) const { return users_.at(static_cast<std::size_t>(node)); }
  /// How often one value is read by nodes, plus one if it is a result of the graph.
  [[nodiscard]] int count(Value value) const;
  /// True if a value of the node is a result of the graph.
  [[nodiscard]] bool is_result(std::int32_t node) const { return result_.at(static_cast<std::size_t>(node)); }

 private:
  const Graph& graph_;
  std::vector<std::vector<std::int32_t>> users_;
  std::vector<bool> result_;
};

/// A graph under construction that takes over nodes of another one. Row spaces and leaves are taken over at once.
class Rewriter {
 public:
  explicit Rewriter(const Graph& from);

  [[nodiscard]] Graph& graph() noexcept { return to_; }
  [[nodiscard]] const Graph& from() const noexcept { return from_; }

  /// The new value that stands for an old one; undefined if there is none yet (or the old one is undefined).
  [[nodiscard]] Value operator()(Value old) const;
  [[nodiscard]] std::vector<Value> operator()(const std::vector<Value>& old) const;
  /// Lets `value` stand for `old` from now on.
  void replace(Value old, Value value);
  /// A node of the old graph: what is added from now on has its scope and phase.
  const Node& enter(std::int32_t node);
  /// Copies a node over the new values of its inputs.
  void copy(std::int32_t node);
  /// Takes the results over and gives the graph away.
  [[nodiscard]] Graph finish();

 private:
  const Graph& from_;
  Graph to_;
  std::vector<std::vector<Value>> map_;
};

/// Copy without the nodes that no result needs. Leaves stay.
[[nodiscard]] Graph eliminate_dead(const Graph& graph);

/// Marks, per node, which outputs are read by a node or are results.
[[nodiscard]] std::vector<std::vector<bool>> used_outputs(const Graph& graph);

/// Floating-point operations of one node, and of a whole graph, at capacity.
[[nodiscard]] double flops_of(const Graph& graph, std::int32_t node, const std::vector<bool>& used);
[[nodiscard]] double flops_of(const Graph& graph);
/// `Backend::work` of one node, and of a whole graph.
[[nodiscard]] double work_of(const Graph& graph, std::int32_t node, const std::vector<bool>& used, const Backend& backend);
[[nodiscard]] double work_of(const Graph& graph, const Backend& backend);

}  // namespace preamble
