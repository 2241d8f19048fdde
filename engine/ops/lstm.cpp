#include "engine/ops/lstm.h"

#include <memory>

#include "engine/core/error.h"
#include "engine/ops/checks.h"
#include "engine/ops/reduce.h"

namespace preamble {
namespace {

/// H of a weight [4H, H].
std::int64_t hidden_of(const Op& op, const OperandTypes& operands, std::size_t weight) {
  require_real(op, operands, weight, "w");
  const Type& w = operands[weight];
  require<ShapeError>(!w.has_rows() && w.dims.size() == 2 && w.dims[0] == 4 * w.dims[1], "{}: w is {}; wanted [4H, H]", op.name(),
                      operands.graph.describe(w));
  return w.dims[1];
}

}  // namespace

std::vector<Type> Lstm::infer(const OperandTypes& operands) const {
  const std::int64_t hidden = hidden_of(*this, operands, kWeight);
  require_rows(*this, operands, kInput, "x", 4 * hidden);
  require_parameter(*this, operands, kBias, "b", {4 * hidden});
  const Type& x = operands[kInput];
  const Type h{x.dtype, x.rows, {hidden}};
  return {h, x, h};
}

std::vector<Value> Lstm::gradients(const GradientRequest& request) const {
  require<UnsupportedError>(!request.output_gradients[kGates] && !request.output_gradients[kCells],
                            "lstm: the loss of the program reads gates or cells; only h has a gradient");
  const Value dz = request.graph.add(
      std::make_shared<LstmGrad>(reversed),
      {request.input(kWeight), request.output(0), request.output(kGates), request.output(kCells), request.output_gradients[0]});
  std::vector<Value> d(request.node.inputs.size());
  if (request.wanted[kInput]) d[kInput] = dz;
  if (request.wanted[kWeight]) d[kWeight] = {dz.graph, dz.node, 1};
  if (request.wanted[kBias]) d[kBias] = sum_rows(dz);
  return d;
}

double Lstm::flops(const NodeCost& cost) const {
  const double hidden = static_cast<double>(cost.output(0).width());
  return static_cast<double>(cost.rows(cost.output(0))) * (8 * hidden * hidden + 100 * hidden);
}

std::vector<Type> LstmGrad::infer(const OperandTypes& operands) const {
  const std::int64_t hidden = hidden_of(*this, operands, kWeight);
  require_rows(*this, operands, kHidden, "h", hidden);
  require_rows(*this, operands, kGates, "gates", 4 * hidden);
  require_same(*this, operands, kHidden, kCells);
  require_same(*this, operands, kHidden, kGradient);
  return {operands[kGates], operands[kWeight]};
}

double LstmGrad::flops(const NodeCost& cost) const {
  const double hidden = static_cast<double>(cost.input(kHidden).width());
  return static_cast<double>(cost.rows(cost.input(kHidden))) * (16 * hidden * hidden + 30 * hidden);
}

Value lstm(Value x, Value w, Value b, bool reversed) { return x.graph->add(std::make_shared<Lstm>(reversed), {x, w, b}); }

}  // namespace preamble
