#include "engine/ops/cross_entropy.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {
namespace {

void require_logits(const Op& op, const OperandTypes& operands, double z_loss) {
  require_rows(op, operands, CrossEntropy::kLogits, "logits");
  require_indices(op, operands, CrossEntropy::kLabels, "labels");
  const Type& logits = operands[CrossEntropy::kLogits];
  require<ShapeError>(logits.width() > 0 && operands[CrossEntropy::kLabels].rows == logits.rows,
                      "{}: logits are {} and labels are {}; wanted one row space", op.name(), operands.graph.describe(logits),
                      operands.graph.describe(operands[CrossEntropy::kLabels]));
  require_weight(op, operands, CrossEntropy::kWeight, logits.rows);
  require<ConfigError>(z_loss >= 0, "{}: z_loss is {}; wanted a number >= 0", op.name(), z_loss);
}

}  // namespace

std::vector<Type> CrossEntropy::infer(const OperandTypes& operands) const {
  require_logits(*this, operands, z_loss);
  const Dtype statistic = operands.graph.statistic();
  return {{statistic, kNoRows, {}}, {statistic, operands[kLogits].rows, {}}};
}

std::vector<Value> CrossEntropy::gradients(const GradientRequest& request) const {
  require_gradient_of_loss(*this, request, kLogits + 1, "'labels' or 'weight'");
  std::vector<Value> d(request.node.inputs.size());
  if (request.wanted[kLogits]) {
    d[kLogits] = request.graph.add(std::make_shared<CrossEntropyGrad>(z_loss, request.input(kWeight).type().has_rows()),
                                   {request.input(kLogits), request.input(kLabels), request.input(kWeight), request.output_gradients[0]});
  }
  return d;
}

double CrossEntropy::flops(const NodeCost& cost) const { return kSoftmaxFlops * elements(cost.graph, cost.input(kLogits)); }

std::vector<Type> CrossEntropyGrad::infer(const OperandTypes& operands) const {
  require_logits(*this, operands, z_loss);
  require_scalar(*this, operands, kGradient, "dloss");
  return {operands[kLogits]};
}

double CrossEntropyGrad::flops(const NodeCost& cost) const { return (kSoftmaxFlops + 1) * elements(cost.graph, cost.output(0)); }

Value cross_entropy(Value logits, Value labels, Value weight, double z_loss) {
  return logits.graph->add(std::make_shared<CrossEntropy>(z_loss), {logits, labels, weight});
}

}  // namespace preamble
