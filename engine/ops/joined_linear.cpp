#include "engine/ops/joined_linear.h"

#include <memory>
#include <utility>

#include "engine/core/error.h"

namespace preamble {

std::vector<Type> JoinedLinear::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, kInput, "x");
  const Type& x = operands[kInput];
  std::int64_t joined = 0;
  for (std::size_t i = 0; i < count; ++i) {
    require<ShapeError>(operands.has(weight(i)), "joined_linear: weight {} of {} is absent", i, count);
    const Type& w = operands[weight(i)];
    require<ShapeError>(!w.has_rows() && w.dims.size() == 2 && w.dims[1] == operands[weight(0)].dims[1],
                        "joined_linear: weight {} is {}; wanted a matrix as wide as the first one, {}", i, operands.graph.describe(w),
                        operands.graph.describe(operands[weight(0)]));
    require<UnsupportedError>(w.dtype == x.dtype, "joined_linear: weight {} is {} and x is {}; wanted one type", i, operands.graph.describe(w),
                              operands.graph.describe(x));
    if (operands.has(bias(i))) require_dims(*this, operands, bias(i), "bias", {w.dims[0]});
    require<ShapeError>(operands.has(bias(i)) == operands.has(bias(0)) && !(transposed && operands.has(bias(i))),
                        "joined_linear: {} maps and the bias of map {} alone were given; wanted all biases or none", count, i);
    joined += w.dims[0];
  }
  require<ShapeError>(count > 0, "joined_linear: no weights were given; wanted one or more");
  const std::int64_t single = operands[weight(0)].dims[1];
  require<ShapeError>(x.width() == (transposed ? joined : single), "joined_linear: x is {}; wanted {} columns", operands.graph.describe(x),
                      transposed ? joined : single);
  const Type y{x.dtype, x.rows, {transposed ? single : joined}};
  require<ShapeError>(!operands.has(kResidual) || operands[kResidual] == y, "joined_linear: residual is {}; wanted {}",
                      operands.has(kResidual) ? operands.graph.describe(operands[kResidual]) : "absent", operands.graph.describe(y));
  return {y};
}

std::vector<Value> JoinedLinear::gradients(const GradientRequest& request) const {
  const Value dy = request.output_gradients[0];
  std::vector<Value> d(request.node.inputs.size());
  for (std::size_t i = kWeights; i < d.size(); ++i) {
    require<UnsupportedError>(!request.wanted[i], "joined_linear: a gradient for operand {} was asked for; weights and biases have none", i);
  }
  if (request.wanted[kInput]) {
    std::vector<Value> operands{dy, Value{}};
    for (std::size_t i = 0; i < count; ++i) operands.push_back(request.input(weight(i)));
    require<UnsupportedError>(!transposed, "joined_linear: a gradient through the transposed map was asked for; there is none");
    d[kInput] = request.graph.add(std::make_shared<JoinedLinear>(count, true), std::move(operands));
  }
  if (request.wanted[kResidual]) d[kResidual] = dy;
  return d;
}

double JoinedLinear::flops(const NodeCost& cost) const {
  return 2.0 * static_cast<double>(cost.rows(cost.output(0)) * cost.output(0).width() * cost.input(kInput).width());
}

Value joined_linear(Value x, const std::vector<Value>& weights, const std::vector<Value>& biases) {
  std::vector<Value> operands{x, Value{}};
  operands.insert(operands.end(), weights.begin(), weights.end());
  operands.insert(operands.end(), biases.begin(), biases.end());
  return x.graph->add(std::make_shared<JoinedLinear>(weights.size()), std::move(operands));
}

}  // namespace preamble
