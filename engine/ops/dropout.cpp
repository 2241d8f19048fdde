#include "engine/ops/dropout.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {

std::vector<Type> Dropout::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, kInput, "x");
  require_dims(*this, operands, kKey, "key", {2});
  require<DtypeError>(operands[kKey].dtype == Dtype::i32, "dropout: key is {}; wanted I32", operands.graph.describe(operands[kKey]));
  require<ConfigError>(rate >= 0 && rate < 1, "dropout: a rate of {} was given; wanted a number from 0 to below 1", rate);
  return {operands[kInput]};
}

std::vector<Value> Dropout::gradients(const GradientRequest& request) const {
  require<UnsupportedError>(!request.wanted[kKey], "dropout: a gradient for operand 'key' was asked for; there is none");
  return {dropout(request.output_gradients[0], request.input(kKey), rate, stream), {}};
}

double Dropout::flops(const NodeCost& cost) const {
  // ten rounds of Philox for four elements
  constexpr double kMask = 20;
  return kMask * elements(cost.graph, cost.output(0));
}

Value dropout(Value x, Value key, double rate, std::uint32_t stream) {
  if (rate == 0) return x;
  return x.graph->add(std::make_shared<Dropout>(rate, stream), {x, key});
}

}  // namespace preamble
