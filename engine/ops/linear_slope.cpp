#include "engine/ops/linear_slope.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {

std::vector<Type> LinearSlope::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, kInput, "dy");
  require<ShapeError>(operands.has(kWeight) && operands.has(kKept), "linear_slope: operand '{}' is absent", operands.has(kWeight) ? "kept" : "w");
  const Type& dy = operands[kInput];
  const Type& w = operands[kWeight];
  const std::size_t in_axis = layout == WeightLayout::out_in ? 1 : 0;
  require<ShapeError>(!w.has_rows() && w.dims.size() == 2 && w.dims[in_axis] == dy.width(), "linear_slope: dy is {} and w is {}; wanted {} for w",
                      operands.graph.describe(dy), operands.graph.describe(w),
                      layout == WeightLayout::out_in ? fmt::format("[N, {}]", dy.width()) : fmt::format("[{}, N]", dy.width()));
  const Type dx{dy.dtype, dy.rows, {w.dims[1 - in_axis]}};
  require<ShapeError>(operands[kKept] == dx, "linear_slope: the kept value is {}; wanted {}", operands.graph.describe(operands[kKept]),
                      operands.graph.describe(dx));
  require<UnsupportedError>(dy.dtype == Dtype::bf16 && w.dtype == Dtype::bf16, "linear_slope: dy is {} and w is {}; wanted BF16",
                            operands.graph.describe(dy), operands.graph.describe(w));
  return {dx};
}

double LinearSlope::flops(const NodeCost& cost) const {
  const auto products = 2.0 * static_cast<double>(cost.rows(cost.output(0)) * cost.output(0).width() * cost.input(kInput).width());
  return products + activation_gradient_flops(ActivationKind::gelu_tanh, cost.graph, cost.output(0));
}

}  // namespace preamble
