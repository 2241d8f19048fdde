#include "engine/ops/linear_cross_entropy.h"

#include <array>

#include "engine/core/error.h"
#include "engine/ops/checks.h"
#include "engine/ops/elementwise.h"

namespace preamble {

std::vector<Type> LinearCrossEntropy::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, kInput, "x");
  const Type& x = operands[kInput];
  const Dtype statistic = operands.graph.statistic();
  require<ShapeError>(operands.has(kWeights), "linear_cross_entropy: operand 'w' is absent");
  const Type& w = operands[kWeights];
  require<ShapeError>(!w.has_rows() && w.dims.size() == 2 && w.dims[0] > 0 && w.dims[1] == x.width(),
                      "linear_cross_entropy: x is {} and w is {}; wanted [V, {}] for w", operands.graph.describe(x),
                      operands.graph.describe(w), x.width());
  require_stored(*this, operands, kWeights, "w");
  const std::int64_t vocabulary = w.dims[0];
  if (operands.has(kBias)) require_parameter(*this, operands, kBias, "bias", {vocabulary});
  require_indices(*this, operands, kLabels, "labels");
  require<ShapeError>(operands[kLabels].rows == x.rows, "linear_cross_entropy: x is {} and labels are {}; wanted one row space",
                      operands.graph.describe(x), operands.graph.describe(operands[kLabels]));
  require_weight(*this, operands, kWeight, x.rows);
  require<ConfigError>(z_loss >= 0, "linear_cross_entropy: z_loss is {}; wanted a number >= 0", z_loss);
  return {{statistic, kNoRows, {}}, {statistic, x.rows, {}}, x, {statistic, kNoRows, w.dims}, {statistic, kNoRows, {vocabulary}}};
}

std::vector<Value> LinearCrossEntropy::gradients(const GradientRequest& request) const {
  require_gradient_of_loss(*this, request, kLabels, "'labels' or 'weight'");
  std::vector<Value> d(request.node.inputs.size());
  const Value dloss = request.output_gradients[kLoss];
  constexpr std::array kGradients = {kInputGradient, kWeightsGradient, kBiasGradient};
  for (std::size_t i = kInput; i <= kBias; ++i) {
    if (!request.wanted[i]) continue;
    require<UnsupportedError>(i != kWeights || request.graph.computes_in(request.input(i).type().dtype),
                              "linear_cross_entropy: a gradient was asked for 'w', which is {}; wanted {}",
                              request.graph.describe(request.input(i).type()), name_of(request.graph.real()));
    d[i] = scale_by(request.output(static_cast<std::int32_t>(kGradients[i])), dloss);
  }
  return d;
}

double LinearCrossEntropy::flops(const NodeCost& cost) const {
  const double logits = static_cast<double>(cost.rows(cost.input(kInput)) * cost.input(kWeights).dims[0]);
  const int products = 1 + (cost.used[kInputGradient] ? 1 : 0) + (cost.used[kWeightsGradient] ? 1 : 0);
  return logits * (2.0 * products * static_cast<double>(cost.input(kInput).width()) + kSoftmaxFlops);
}

Value linear_cross_entropy(Value x, Value w, Value bias, Value labels, Value weight, double z_loss) {
  return x.graph->add(std::make_shared<LinearCrossEntropy>(z_loss), {x, w, bias, labels, weight});
}

}  // namespace preamble
