#include "engine/ops/gradient_norm.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {

std::vector<Type> GradientNorm::infer(const OperandTypes& operands) const {
  const Graph& graph = operands.graph;
  require<ConfigError>(max_norm >= 0, "gradient_norm: a limit of {} was given; wanted 0 or more", max_norm);
  require<ShapeError>(operands.size() >= 2, "gradient_norm: {} operands were given; wanted a gradient at least, and the loss",
                      operands.size());
  const std::size_t loss = operands.size() - 1;
  std::int64_t partial = 0;
  for (std::size_t i = 0; i < loss; ++i) {
    require_real(*this, operands, i, "gradient");
    partial += blocks(graph.capacity(operands[i]) * operands[i].width());
  }
  require<ShapeError>(operands.has(loss) && !operands[loss].has_rows() && operands[loss].dims.empty(),
                      "gradient_norm: loss is {}; wanted a scalar", operands.has(loss) ? graph.describe(operands[loss]) : "absent");
  require<DtypeError>(operands[loss].dtype == Dtype::f32 || operands[loss].dtype == Dtype::f64,
                      "gradient_norm: loss is {}; wanted F32 or F64", graph.describe(operands[loss]));
  return {{graph.real(), kNoRows, {}}, {Dtype::f64, kNoRows, {2}}, {Dtype::f64, kNoRows, {partial}}};
}

double GradientNorm::flops(const NodeCost& cost) const {
  double sum = 0;
  for (std::size_t i = 0; i + 1 < cost.node.inputs.size(); ++i) sum += 2 * elements(cost.graph, cost.input(i));
  return sum;
}

GradientNormValues gradient_norm(std::span<const Value> gradients, Value loss, double max_norm) {
  std::vector<Value> inputs(gradients.begin(), gradients.end());
  inputs.push_back(loss);
  const Value first = loss.graph->add(std::make_shared<GradientNorm>(max_norm), std::move(inputs));
  const auto output = [&](std::int32_t i) { return Value{first.graph, first.node, i}; };
  return {output(GradientNorm::kScale), output(GradientNorm::kReport), output(GradientNorm::kPartial)};
}

}  // namespace preamble
