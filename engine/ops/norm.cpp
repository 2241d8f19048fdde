#include "engine/ops/norm.h"

#include <algorithm>

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {
namespace {

NormAndSum norm(NormKind kind, double epsilon, Value x, Value scale, Value bias, Value residual) {
  const Value y = x.graph->add(std::make_shared<Norm>(kind, epsilon, residual.defined()), {x, scale, bias, residual});
  return {y, residual ? Value{y.graph, y.node, 1} : Value{}};
}

}  // namespace

std::vector<Type> Norm::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, kInput, "x");
  const Type& x = operands[kInput];
  require<ConfigError>(epsilon >= 0, "norm: epsilon is {}; wanted a number >= 0", epsilon);
  require<ConfigError>(parts > 0 && x.width() % parts == 0, "norm: x is {} and {} parts were given; wanted a width that they divide",
                       operands.graph.describe(x), parts);
  if (operands.has(kScale)) require_parameter(*this, operands, kScale, "scale", {x.width() / parts});
  if (operands.has(kBias)) require_parameter(*this, operands, kBias, "bias", {x.width() / parts});
  if (!adds) return {x};
  require_same(*this, operands, kInput, kResidual);
  return {x, x};
}

std::vector<Value> Norm::gradients(const GradientRequest& request) const {
  std::vector<Value> d(request.node.inputs.size());
  const auto wanted = [&](std::size_t i) { return i < request.wanted.size() && request.wanted[i]; };
  const Value dy = request.output_gradients[0];
  const Value dsum = adds ? request.output_gradients[1] : Value{};
  Value dx = dsum;
  if (dy) {
    const Value normalised = adds ? request.output(1) : request.input(kInput);
    const Value first = request.graph.add(std::make_shared<NormGrad>(kind, epsilon, parts), {normalised, request.input(kScale), dy, dsum});
    dx = first;
    if (wanted(kScale)) d[kScale] = {first.graph, first.node, 1};
    if (wanted(kBias)) d[kBias] = {first.graph, first.node, 2};
  }
  if (wanted(kInput)) d[kInput] = dx;
  if (wanted(kResidual)) d[kResidual] = dx;
  return d;
}

std::vector<Alias> Norm::aliases() const {
  if (!adds) return {{0, kInput}};
  return {{0, kInput}, {0, kResidual}, {1, kInput}, {1, kResidual}};
}

double Norm::flops(const NodeCost& cost) const {
  const double each = (kind == NormKind::layer ? 7 : 4) + (adds ? 1 : 0);
  return each * elements(cost.graph, cost.output(0));
}

std::vector<Type> NormGrad::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, kInput, "x");
  const Type& x = operands[kInput];
  if (operands.has(kScale)) require_parameter(*this, operands, kScale, "scale", {x.width() / parts});
  require_same(*this, operands, kInput, kGradient);
  if (operands.has(kSumGradient)) require_same(*this, operands, kInput, kSumGradient);
  const Type parameter{operands.graph.statistic(), kNoRows, {x.width() / parts}};
  return {x, parameter, parameter};
}

std::vector<Alias> NormGrad::aliases() const { return {{0, kInput}, {0, kGradient}, {0, kSumGradient}}; }

double NormGrad::flops(const NodeCost& cost) const {
  const double each = (kind == NormKind::layer ? 14 : 10) + (cost.used[1] ? 2 : 0) + (cost.used[2] ? 1 : 0);
  return each * elements(cost.graph, cost.output(0));
}

Value rms_norm(Value x, Value scale, double epsilon) { return norm(NormKind::rms, epsilon, x, scale, {}, {}).y; }

Value rms_norm_of_parts(Value x, Value scale, double epsilon, std::int64_t parts) {
  return x.graph->add(std::make_shared<Norm>(NormKind::rms, epsilon, false, parts), {x, scale, {}, {}});
}

Value layer_norm(Value x, Value scale, Value bias, double epsilon) { return norm(NormKind::layer, epsilon, x, scale, bias, {}).y; }

NormAndSum add_rms_norm(Value x, Value residual, Value scale, double epsilon) {
  return norm(NormKind::rms, epsilon, x, scale, {}, residual);
}

NormAndSum add_layer_norm(Value x, Value residual, Value scale, Value bias, double epsilon) {
  return norm(NormKind::layer, epsilon, x, scale, bias, residual);
}

}  // namespace preamble
