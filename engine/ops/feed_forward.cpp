#include "engine/ops/feed_forward.h"

#include <string_view>
#include <utility>

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {
namespace {

void require_weight(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand) {
  require<ShapeError>(operands.has(index) && !operands[index].has_rows() && operands[index].dims.size() == 2,
                      "{}: {} is {}; wanted a matrix", op.name(), operand,
                      operands.has(index) ? operands.graph.describe(operands[index]) : "absent");
  require_stored(op, operands, index, operand);
}

/// Checks w1, w2 and b1, which may be absent. `Fused`: either op.
template <class Fused>
FeedForwardShape require_weights(const Fused& op, const OperandTypes& operands) {
  require_weight(op, operands, Fused::kFirstWeight, "w1");
  require_weight(op, operands, Fused::kSecondWeight, "w2");
  const Type& w1 = operands[Fused::kFirstWeight];
  const Type& w2 = operands[Fused::kSecondWeight];
  const FeedForwardShape shape = feed_forward_shape(w1, op.first, w2, op.second);
  require<ShapeError>(w2.dims[op.second == WeightLayout::out_in ? 1 : 0] == shape.width,
                      "{}: w1 is {} and w2 is {}; wanted one width between them", op.name(), operands.graph.describe(w1),
                      operands.graph.describe(w2));
  if (operands.has(Fused::kFirstBias)) require_dims(op, operands, Fused::kFirstBias, "b1", {shape.width});
  return shape;
}

void require_residual(const Op& op, const OperandTypes& operands, std::size_t index, const Type& result) {
  if (!operands.has(index)) return;
  require<ShapeError>(operands[index] == result, "{}: residual is {}; wanted {}", op.name(), operands.graph.describe(operands[index]),
                      operands.graph.describe(result));
}

}  // namespace

std::vector<Type> FeedForward::infer(const OperandTypes& operands) const {
  const FeedForwardShape shape = require_weights(*this, operands);
  require_rows(*this, operands, kInput, "x", shape.in);
  if (operands.has(kSecondBias)) require_dims(*this, operands, kSecondBias, "b2", {shape.out});
  const Type& x = operands[kInput];
  std::vector<Type> outputs = {{x.dtype, x.rows, {shape.out}}};
  require_residual(*this, operands, kResidual, outputs[0]);
  for (auto& kept : kept_types(activation, {x.dtype, x.rows, {shape.width}})) outputs.push_back(std::move(kept));
  return outputs;
}

double FeedForward::flops(const NodeCost& cost) const {
  const FeedForwardShape s = feed_forward_shape(*this, cost);
  return 2.0 * static_cast<double>(cost.rows(cost.output(0)) * s.width * (s.in + s.out));
}

std::vector<Type> FeedForwardGrad::infer(const OperandTypes& operands) const {
  const FeedForwardShape shape = require_weights(*this, operands);
  require_rows(*this, operands, kGradient, "dy", shape.out);
  const Type& dy = operands[kGradient];
  const Type wide{dy.dtype, dy.rows, {shape.width}};
  std::vector<Type> kept = kept_types(activation, wide);
  const Type wanted = recomputes ? Type{dy.dtype, dy.rows, {shape.in}} : kept.empty() ? wide : kept[0];
  require<ShapeError>(operands.has(kKept) && operands[kKept] == wanted, "feed_forward_grad: {} is {}; wanted {}",
                      recomputes ? "x" : "the kept value", operands.has(kKept) ? operands.graph.describe(operands[kKept]) : "absent",
                      operands.graph.describe(wanted));
  const Type dx{dy.dtype, dy.rows, {shape.in}};
  require_residual(*this, operands, kResidual, dx);
  return {dx};
}

double FeedForwardGrad::flops(const NodeCost& cost) const {
  const FeedForwardShape s = feed_forward_shape(*this, cost);
  const Type& dx = cost.output(0);
  const std::int64_t products = s.width * (s.out + s.in + (recomputes ? s.in : 0));
  return 2.0 * static_cast<double>(cost.rows(dx) * products) +
         activation_gradient_flops(activation, cost.graph, {dx.dtype, dx.rows, {s.width}});
}

}  // namespace preamble
