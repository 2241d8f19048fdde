// Graphs of whole models in double precision, for central differences.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/graph/graph.h"

namespace preamble::testing {

/// Trained leaves of a graph in double precision, by name: graphs made with one list share their memory.
using ExactTensors = std::map<std::string, Tensor>;

/// The same graph in double precision. Trained leaves take the tensors of `trained`, which gets those that it does not have yet.
[[nodiscard]] inline Graph in_double(const Graph& graph, ExactTensors& trained) {
  Graph exact(Dtype::f64);
  for (const auto& space : graph.row_spaces()) exact.declare(space);
  const auto real = [](Dtype dtype) { return dtype == Dtype::f32 ? Dtype::f64 : dtype; };
  std::vector<Value> first;
  const auto of = [&](const std::vector<Value>& old) {
    std::vector<Value> values;
    for (const auto& value : old) values.push_back(value ? Value{&exact, first[static_cast<std::size_t>(value.node)].node, value.output} : Value{});
    return values;
  };
  for (const auto& node : graph.nodes()) {
    const Type& type = node.outputs.front();
    switch (node.role) {
      case Role::input: first.push_back(exact.input(node.name, {real(type.dtype), type.rows, type.dims})); break;
      case Role::trainable:
        first.push_back(exact.trainable(node.name, trained.try_emplace(node.name, node.tensor.to(Dtype::f64)).first->second, type.rows));
        break;
      case Role::frozen: first.push_back(exact.frozen(node.name, node.tensor.to(real(node.tensor.dtype())), type.rows)); break;
      case Role::state: first.push_back(exact.state(node.name, node.tensor.to(real(node.tensor.dtype())), type.rows)); break;
      case Role::derived: first.push_back(exact.append(node, of(node.inputs))); break;
    }
  }
  for (const auto& [name, value] : graph.outputs()) exact.output(name, of({value}).front());
  return exact;
}

}  // namespace preamble::testing
