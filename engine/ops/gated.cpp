#include "engine/ops/gated.h"

#include "engine/ops/checks.h"

namespace preamble {

std::vector<Type> Gated::infer(const OperandTypes& operands) const {
  require_real(*this, operands, 0, "a");
  require_same(*this, operands, 0, 1);
  return {operands[0]};
}

std::vector<Value> Gated::gradients(const GradientRequest& request) const {
  const Value da = request.graph.add(std::make_shared<GatedGrad>(kind), {request.input(0), request.input(1), request.output_gradients[0]});
  return {request.wanted[0] ? da : Value{}, request.wanted[1] ? Value{da.graph, da.node, 1} : Value{}};
}

double Gated::flops(const NodeCost& cost) const {
  return activation_flops(kind, cost.graph, cost.output(0)) + elements(cost.graph, cost.output(0));
}

std::vector<Type> GatedGrad::infer(const OperandTypes& operands) const {
  require_real(*this, operands, 0, "a");
  require_same(*this, operands, 0, 1);
  require_same(*this, operands, 0, 2);
  return {operands[0], operands[0]};
}

std::vector<Alias> GatedGrad::aliases() const { return {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 0}, {1, 2}}; }

double GatedGrad::flops(const NodeCost& cost) const {
  return activation_flops(kind, cost.graph, cost.output(0)) + 7 * elements(cost.graph, cost.output(0));
}

Value gated(Value a, Value b, ActivationKind kind) { return a.graph->add(std::make_shared<Gated>(kind), {a, b}); }

}  // namespace preamble
