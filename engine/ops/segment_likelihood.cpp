#include "engine/ops/segment_likelihood.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {
namespace {

void require_logits_and_labels(const Op& op, const OperandTypes& operands) {
  constexpr std::size_t kLogits = SegmentLikelihood::kLogits;
  constexpr std::size_t kLabels = SegmentLikelihood::kLabels;
  require_rows(op, operands, kLogits, "logits");
  require_indices(op, operands, kLabels, "labels");
  require<ShapeError>(operands[kLabels].rows == operands[kLogits].rows, "{}: labels is {}; wanted the row space of logits, {}", op.name(),
                      operands.graph.describe(operands[kLabels]), operands.graph.describe(operands[kLogits]));
}

}  // namespace

std::vector<Type> SegmentLikelihood::infer(const OperandTypes& operands) const {
  require_logits_and_labels(*this, operands);
  const RowSpace& from = operands.graph.rows(operands[kLogits].rows);
  const RowSpace& to = operands.graph.rows(scores);
  require<ShapeError>(to.rows >= from.segments, "segment_likelihood: '{}' holds {} rows; wanted one for each of the {} segments of logits", to.name, to.rows,
                      from.segments);
  return {{operands[kLogits].dtype, scores, {1}}};
}

std::vector<Value> SegmentLikelihood::gradients(const GradientRequest& request) const {
  require<UnsupportedError>(!request.wanted[kLabels], "segment_likelihood: a gradient for 'labels' was asked for; there is none");
  std::vector<Value> d(request.node.inputs.size());
  if (request.wanted[kLogits]) {
    d[kLogits] = request.graph.add(std::make_shared<SegmentLikelihoodGrad>(),
                                   {request.input(kLogits), request.input(kLabels), request.output_gradients[0]});
  }
  return d;
}

double SegmentLikelihood::flops(const NodeCost& cost) const { return kSoftmaxFlops * elements(cost.graph, cost.input(kLogits)); }

std::vector<Type> SegmentLikelihoodGrad::infer(const OperandTypes& operands) const {
  require_logits_and_labels(*this, operands);
  require_rows(*this, operands, kGradient, "dy", 1);
  return {operands[kLogits]};
}

double SegmentLikelihoodGrad::flops(const NodeCost& cost) const { return (kSoftmaxFlops + 1) * elements(cost.graph, cost.output(0)); }

Value segment_likelihood(Value logits, Value labels, RowSpaceId scores) {
  return logits.graph->add(std::make_shared<SegmentLikelihood>(scores), {logits, labels});
}

}  // namespace preamble
