#include "models/named_layers.h"

#include "engine/ops/linear.h"
#include "engine/ops/norm.h"

namespace preamble {

Value biased_linear(Parameters& parameters, Graph& graph, Value x, const std::string& name, std::int64_t to) {
  const Value w = parameters(graph, name + ".weight", {to, x.type().width()}, ParameterKind::matrix);
  return linear(x, w, parameters(graph, name + ".bias", {to}, ParameterKind::vector));
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
