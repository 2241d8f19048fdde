#include "engine/ops/elementwise.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {
namespace {

Type one_type(const Op& op, const OperandTypes& operands, std::string_view first) {
  require_real(op, operands, 0, first);
  require_same(op, operands, 0, 1);
  return operands[0];
}

}  // namespace

std::vector<Type> Add::infer(const OperandTypes& operands) const { return {one_type(*this, operands, "a")}; }

std::vector<Value> Add::gradients(const GradientRequest& request) const {
  const Value dy = request.output_gradients[0];
  return {request.wanted[0] ? dy : Value{}, request.wanted[1] ? dy : Value{}};
}

double Add::flops(const NodeCost& cost) const { return elements(cost.graph, cost.output(0)); }

std::vector<Type> Multiply::infer(const OperandTypes& operands) const { return {one_type(*this, operands, "a")}; }

std::vector<Value> Multiply::gradients(const GradientRequest& request) const {
  const Value dy = request.output_gradients[0];
  const Value a = request.input(0), b = request.input(1);
  return {request.wanted[0] ? multiply(dy, b) : Value{}, request.wanted[1] ? multiply(dy, a) : Value{}};
}

double Multiply::flops(const NodeCost& cost) const { return elements(cost.graph, cost.output(0)); }

std::vector<Type> Scale::infer(const OperandTypes& operands) const {
  require_real(*this, operands, 0, "x");
  return {operands[0]};
}

std::vector<Value> Scale::gradients(const GradientRequest& request) const { return {scale(request.output_gradients[0], factor)}; }

double Scale::flops(const NodeCost& cost) const { return elements(cost.graph, cost.output(0)); }

std::vector<Type> ScaleBy::infer(const OperandTypes& operands) const {
  require_real(*this, operands, 0, "x");
  require_scalar(*this, operands, 1, "s");
  return {operands[0]};
}

std::vector<Value> ScaleBy::gradients(const GradientRequest& request) const {
  const Value dy = request.output_gradients[0];
  const Value x = request.input(0), s = request.input(1);
  return {request.wanted[0] ? scale_by(dy, s) : Value{}, request.wanted[1] ? dot(dy, x) : Value{}};
}

double ScaleBy::flops(const NodeCost& cost) const { return elements(cost.graph, cost.output(0)); }

std::vector<Type> Constant::infer(const OperandTypes&) const { return {{real, kNoRows, {}}}; }

std::vector<Type> Dot::infer(const OperandTypes& operands) const {
  one_type(*this, operands, "x");
  return {{operands.graph.statistic(), kNoRows, {}}};
}

std::vector<Value> Dot::gradients(const GradientRequest& request) const {
  const Value d = request.output_gradients[0];
  const Value x = request.input(0), y = request.input(1);
  return {request.wanted[0] ? scale_by(y, d) : Value{}, request.wanted[1] ? scale_by(x, d) : Value{}};
}

double Dot::flops(const NodeCost& cost) const { return 2 * elements(cost.graph, cost.input(0)); }

Value add(Value a, Value b) { return a.graph->add(std::make_shared<Add>(), {a, b}); }

Value multiply(Value a, Value b) { return a.graph->add(std::make_shared<Multiply>(), {a, b}); }

Value scale(Value x, double factor) { return x.graph->add(std::make_shared<Scale>(factor), {x}); }

Value scale_by(Value x, Value s) {
  const auto* known = dynamic_cast<const Constant*>(s.graph->node(s).op.get());
  if (known != nullptr && known->value == 1) return x;
  return x.graph->add(std::make_shared<ScaleBy>(), {x, s});
}

Value constant(Graph& graph, double value) { return graph.add(std::make_shared<Constant>(graph.statistic(), value), {}); }

Value dot(Value x, Value y) { return x.graph->add(std::make_shared<Dot>(), {x, y}); }

}  // namespace preamble
