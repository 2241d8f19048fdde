#include "models/named_layers.h"

#include "engine/ops/elementwise.h"
#include "engine/ops/norm.h"
#include "models/building.h"

namespace preamble {
namespace {

/// y + scale · B (A x)
Value with_low_rank(Graph& graph, Value x, Value y, const LowRank& addition) {
  const auto leaf = [&](const std::string& name, const Tensor& tensor) {
    const Value declared = graph.leaf(name);
    return declared ? declared : graph.trainable(name, tensor);
  };
  const Value a = leaf(addition.leaf_a, addition.a);
  const Value b = leaf(addition.leaf_b, addition.b);
  return add(y, linear(scale(linear(dropped(graph, x, addition.dropout), a), addition.scale), b));
}

}  // namespace

Value named_map(Parameters& parameters, Graph& graph, Value x, const std::string& name, const MapOptions& options) {
  const std::int64_t from = x.type().width();
  const bool transposed = options.layout == WeightLayout::in_out;
  const Dims dims = transposed ? Dims{from, options.to} : Dims{options.to, from};
  const Value w = parameters(graph, name + ".weight", dims, transposed ? ParameterKind::transposed : ParameterKind::matrix);
  const Value b = options.bias ? parameters(graph, name + ".bias", {options.to}, ParameterKind::vector) : Value{};
  const Value y = linear(x, w, b, options.layout);
  parameters.note_map(name, {from, options.to, transposed});
  const LowRank* addition = parameters.low_rank(name);
  return addition == nullptr ? y : with_low_rank(graph, x, y, *addition);
}

Value biased_linear(Parameters& parameters, Graph& graph, Value x, const std::string& name, std::int64_t to) {
  return named_map(parameters, graph, x, name, {.to = to});
}

Value named_norm(Parameters& parameters, Graph& graph, Value x, const std::string& name, double epsilon) {
  // the names of TensorFlow live on in the oldest checkpoints
  const bool old = parameters.contains(name + ".gamma") && !parameters.contains(name + ".weight");
  const Dims dims = {x.type().width()};
  return layer_norm(x, parameters(graph, name + (old ? ".gamma" : ".weight"), dims, ParameterKind::vector),
                    parameters(graph, name + (old ? ".beta" : ".bias"), dims, ParameterKind::vector), epsilon);
}

std::string backbone_prefix(const Parameters& parameters, const std::string& family, const std::string& first) {
  return parameters.contains(family + first) || !parameters.contains(first) ? family : "";
}

}  // namespace preamble
