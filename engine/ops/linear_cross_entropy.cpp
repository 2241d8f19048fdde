#include "engine/ops/linear_cross_entropy.h"

#include <algorithm>
#include <array>

#include "engine/core/error.h"
#include "engine/ops/checks.h"
#include "engine/ops/elementwise.h"

namespace preamble {

std::vector<Type> LinearCrossEntropy::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, kInput, "x");
  const Type& x = operands[kInput];
  const Dtype real = operands.graph.real();
  require<ShapeError>(operands.has(kWeights), "linear_cross_entropy: operand 'w' is absent");
  const Type& w = operands[kWeights];
  require<ShapeError>(!w.has_rows() && w.dims.size() == 2 && w.dims[0] > 0 && w.dims[1] == x.width(),
                      "linear_cross_entropy: x is {} and w is {}; wanted [V, {}] for w", operands.graph.describe(x),
                      operands.graph.describe(w), x.width());
  require<DtypeError>(w.dtype == real || w.dtype == Dtype::bf16, "linear_cross_entropy: w is {}; wanted {} or BF16",
                      operands.graph.describe(w), name_of(real));
  const std::int64_t vocabulary = w.dims[0];
  if (operands.has(kBias)) require_parameter(*this, operands, kBias, "bias", {vocabulary});
  require_indices(*this, operands, kLabels, "labels");
  require<ShapeError>(operands[kLabels].rows == x.rows, "linear_cross_entropy: x is {} and labels are {}; wanted one row space",
                      operands.graph.describe(x), operands.graph.describe(operands[kLabels]));
  require_scalar(*this, operands, kWeight, "weight");
  require<ConfigError>(z_loss >= 0, "linear_cross_entropy: z_loss is {}; wanted a number >= 0", z_loss);
  return {{real, kNoRows, {}}, {real, x.rows, {}}, x, {real, kNoRows, w.dims}, {real, kNoRows, {vocabulary}}};
}

std::vector<Value> LinearCrossEntropy::gradients(const GradientRequest& request) const {
  require_gradient_of_loss(*this, request, kLabels, "'labels' or 'weight'");
  std::vector<Value> d(request.node.inputs.size());
  const Value dloss = request.output_gradients[kLoss];
  constexpr std::array kGradients = {kInputGradient, kWeightsGradient, kBiasGradient};
  for (std::size_t i = kInput; i <= kBias; ++i) {
    if (!request.wanted[i]) continue;
    require<UnsupportedError>(i != kWeights || request.input(i).type().dtype == request.graph.real(),
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

std::int64_t LinearCrossEntropy::workspace(const NodeCost& cost) const {
  const Type& x = cost.input(kInput);
  const Type& w = cost.input(kWeights);
  const bool converted = w.dtype != cost.graph.real();
  const Chunks c = chunks(cost.rows(x), x.width(), w.dims[0], converted);
  const std::int64_t numbers = c.rows * w.dims[0] + (converted ? c.vocabulary * x.width() : 0);
  return c.rows * static_cast<std::int64_t>(sizeof(double)) + numbers * static_cast<std::int64_t>(size_of(cost.graph.real()));
}

LinearCrossEntropy::Chunks LinearCrossEntropy::chunks(std::int64_t rows, std::int64_t width, std::int64_t vocabulary,
                                                      bool converted) noexcept {
  constexpr std::int64_t kMostLogits = 1 << 22, kFewestRows = 16, kMostConverted = 1 << 20;
  const std::int64_t chunk = std::min(rows, std::max(kFewestRows, kMostLogits / vocabulary));
  const std::int64_t block = std::max<std::int64_t>(1, kMostConverted / std::max<std::int64_t>(1, width));
  return {chunk, converted ? std::min(block, vocabulary) : vocabulary};
}

Value linear_cross_entropy(Value x, Value w, Value bias, Value labels, Value weight, double z_loss) {
  return x.graph->add(std::make_shared<LinearCrossEntropy>(z_loss), {x, w, bias, labels, weight});
}

}  // namespace preamble
