#include "engine/ops/segment_cross_entropy.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {
namespace {

void require_operands(const Op& op, const OperandTypes& operands) {
  constexpr std::size_t kLogits = SegmentCrossEntropy::kLogits;
  constexpr std::size_t kLabels = SegmentCrossEntropy::kLabels;
  require_rows(op, operands, kLogits, "logits");
  const Type& logits = operands[kLogits];
  require<ShapeError>(logits.width() > 0, "{}: logits are {}; wanted one column at least", op.name(), operands.graph.describe(logits));
  require_dims(op, operands, kLabels, "labels", {operands.graph.rows(logits.rows).segments, logits.width()});
  require<DtypeError>(operands[kLabels].dtype == Dtype::i32, "{}: labels is {}; wanted I32", op.name(), operands.graph.describe(operands[kLabels]));
  require_scalar(op, operands, SegmentCrossEntropy::kWeight, "weight");
}

}  // namespace

std::vector<Type> SegmentCrossEntropy::infer(const OperandTypes& operands) const {
  require_operands(*this, operands);
  return {{operands.graph.statistic(), kNoRows, {}}};
}

std::vector<Value> SegmentCrossEntropy::gradients(const GradientRequest& request) const {
  require_gradient_of_loss(*this, request, kLogits + 1, "'labels' or 'weight'");
  std::vector<Value> d(request.node.inputs.size());
  if (request.wanted[kLogits]) {
    d[kLogits] = request.graph.add(std::make_shared<SegmentCrossEntropyGrad>(),
                                   {request.input(kLogits), request.input(kLabels), request.input(kWeight), request.output_gradients[0]});
  }
  return d;
}

double SegmentCrossEntropy::flops(const NodeCost& cost) const { return kSoftmaxFlops * elements(cost.graph, cost.input(kLogits)); }

std::vector<Type> SegmentCrossEntropyGrad::infer(const OperandTypes& operands) const {
  require_operands(*this, operands);
  require_scalar(*this, operands, kGradient, "dloss");
  return {operands[kLogits]};
}

double SegmentCrossEntropyGrad::flops(const NodeCost& cost) const { return (kSoftmaxFlops + 1) * elements(cost.graph, cost.output(0)); }

Value segment_cross_entropy(Value logits, Value labels, Value weight) {
  return logits.graph->add(std::make_shared<SegmentCrossEntropy>(), {logits, labels, weight});
}

}  // namespace preamble
