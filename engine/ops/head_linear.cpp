#include "engine/ops/head_linear.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {

std::vector<Type> HeadLinear::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, kInput, "x");
  require<ShapeError>(operands.has(kWeight), "head_linear: operand 'w' is absent");
  const Type& x = operands[kInput];
  const Type& w = operands[kWeight];
  require_stored(*this, operands, kWeight, "w");
  require<ShapeError>(!w.has_rows() && w.dims.size() == 2 && heads > 0 && w.dims[0] % heads == 0, "head_linear: w is {}; wanted [{}·d, D]",
                      operands.graph.describe(w), heads);
  const std::int64_t narrow = w.dims[0];
  const std::int64_t wide = heads * w.dims[1];
  const bool expand = direction == Direction::expand;
  require<ShapeError>(x.width() == (expand ? narrow : wide), "head_linear: x is {} and w is {}; wanted {} columns of x", operands.graph.describe(x),
                      operands.graph.describe(w), expand ? narrow : wide);
  return {{x.dtype, x.rows, {expand ? wide : narrow}}};
}

std::vector<Value> HeadLinear::gradients(const GradientRequest& request) const {
  require<UnsupportedError>(!request.wanted[kWeight], "head_linear: a gradient of w was asked for; wanted a frozen w");
  const Value dy = request.output_gradients[0];
  const Value w = request.input(kWeight);
  return {direction == Direction::expand ? head_reduce(dy, w, heads) : head_expand(dy, w, heads), {}};
}

double HeadLinear::flops(const NodeCost& cost) const { return 2.0 * static_cast<double>(cost.rows(cost.output(0)) * cost.input(kWeight).width()); }

Value head_expand(Value x, Value w, std::int64_t heads) {
  return x.graph->add(std::make_shared<HeadLinear>(heads, HeadLinear::Direction::expand), {x, w});
}

Value head_reduce(Value x, Value w, std::int64_t heads) {
  return x.graph->add(std::make_shared<HeadLinear>(heads, HeadLinear::Direction::reduce), {x, w});
}

}  // namespace preamble
