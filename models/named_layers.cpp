#include "models/named_layers.h"

#include <algorithm>

#include "engine/ops/linear.h"
#include "engine/ops/norm.h"

namespace preamble {

Value biased_linear(Parameters& parameters, Graph& graph, Value x, const std::string& name, std::int64_t to) {
  const Value w = parameters(graph, name + ".weight", {to, x.type().width()}, ParameterKind::matrix);
  return linear(x, w, parameters(graph, name + ".bias", {to}, ParameterKind::vector));
}

Value named_norm(Parameters& parameters, Graph& graph, Value x, const std::string& name, double epsilon) {
  const Dims dims = {x.type().width()};
  return layer_norm(x, parameters(graph, name + ".weight", dims, ParameterKind::vector),
                    parameters(graph, name + ".bias", dims, ParameterKind::vector), epsilon);
}

std::string backbone_prefix(const Parameters& parameters, const std::string& family, const std::string& first) {
  return parameters.contains(family + first) || !parameters.contains(first) ? family : "";
}

void load_encoder(EncoderModel& model, const ParameterSource& source, std::string_view prefix, std::span<const std::string_view> beside) {
  Parameters& parameters = model.parameters();
  for (const auto& name : source.names()) {
    const std::string_view whole = name;
    const std::string_view inside = whole.starts_with(prefix) ? whole.substr(prefix.size()) : whole;
    if (std::ranges::any_of(beside, [&](std::string_view beginning) { return inside.starts_with(beginning); })) parameters.tolerate(name);
  }
  Graph graph = parameters.graph();
  (void)model.encode(graph, {}, {});
  parameters.require_all_known();
}

}  // namespace preamble
