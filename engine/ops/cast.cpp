#include "engine/ops/cast.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {

std::vector<Type> Cast::infer(const OperandTypes& operands) const {
  require_real(*this, operands, 0, "x");
  require<DtypeError>(operands.graph.computes_in(dtype), "cast: {} was asked for; wanted {} or {}", name_of(dtype),
                      name_of(operands.graph.real()), name_of(operands.graph.statistic()));
  Type y = operands[0];
  y.dtype = dtype;
  return {y};
}

std::vector<Value> Cast::gradients(const GradientRequest& request) const {
  return {cast(request.output_gradients[0], request.input(0).type().dtype)};
}

Value cast(Value x, Dtype dtype) {
  if (x.type().dtype == dtype) return x;
  return x.graph->add(std::make_shared<Cast>(dtype), {x});
}

}  // namespace preamble
