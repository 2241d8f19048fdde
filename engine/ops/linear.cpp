#include "engine/ops/linear.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"
#include "engine/ops/reduce.h"

namespace preamble {

std::vector<Type> Linear::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, kInput, "x");
  require<ShapeError>(operands.has(kWeight), "linear: operand 'w' is absent");
  const Type& x = operands[kInput];
  const Type& w = operands[kWeight];
  require_stored(*this, operands, kWeight, "w");
  const std::size_t in_axis = layout == WeightLayout::out_in ? 1 : 0;
  require<ShapeError>(!w.has_rows() && w.dims.size() == 2 && w.dims[in_axis] == x.width(), "linear: x is {} and w is {}; wanted {} for w",
                      operands.graph.describe(x), operands.graph.describe(w),
                      layout == WeightLayout::out_in ? fmt::format("[N, {}]", x.width()) : fmt::format("[{}, N]", x.width()));
  const std::int64_t n = w.dims[1 - in_axis];
  if (operands.has(kBias)) require_dims(*this, operands, kBias, "b", {n});
  Type y{x.dtype, x.rows, {n}};
  if (operands.has(kResidual)) {
    require<UnsupportedError>(!activation, "linear: a residual and an activation were given; wanted one of them");
    require<ShapeError>(operands[kResidual] == y, "linear: residual is {}; wanted {}", operands.graph.describe(operands[kResidual]),
                        operands.graph.describe(y));
  }
  std::vector<Type> outputs = {y};
  if (activation) {
    for (auto& kept : kept_types(*activation, y)) outputs.push_back(std::move(kept));
  }
  return outputs;
}

std::vector<Value> Linear::gradients(const GradientRequest& request) const {
  Value dy = request.output_gradients[0];
  if (activation) dy = activation_grad(*activation, request.output(request.node.outputs.size() > 1 ? 1 : 0), dy);
  std::vector<Value> d(request.node.inputs.size());
  if (request.wanted[kInput]) d[kInput] = linear(dy, request.input(kWeight), {}, flipped(layout));  // reads the weight alone
  if (request.wanted[kWeight]) {
    const Value x = request.input(kInput);
    d[kWeight] = layout == WeightLayout::out_in ? outer_sum(dy, x) : outer_sum(x, dy);
  }
  if (d.size() > kBias && request.wanted[kBias]) d[kBias] = sum_rows(dy);
  if (d.size() > kResidual && request.wanted[kResidual]) d[kResidual] = dy;
  return d;
}

double Linear::flops(const NodeCost& cost) const {
  return 2.0 * static_cast<double>(cost.rows(cost.output(0)) * cost.output(0).width() * cost.input(kInput).width());
}

Value linear(Value x, Value w, Value b, WeightLayout layout) {
  return x.graph->add(std::make_shared<Linear>(layout), b ? std::vector{x, w, b} : std::vector{x, w});
}

Value linear_activation(Value x, Value w, Value b, WeightLayout layout, ActivationKind kind) {
  return x.graph->add(std::make_shared<Linear>(layout, kind), b ? std::vector{x, w, b} : std::vector{x, w});
}

Value linear_add(Value x, Value w, Value b, Value residual, WeightLayout layout) {
  return x.graph->add(std::make_shared<Linear>(layout), {x, w, b, residual});
}

}  // namespace preamble
