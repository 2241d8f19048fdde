#include "engine/ops/activation.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {
namespace {

/// u8 [rows, ceil(D / 8)]
Type mask_of(const Type& x) { return {Dtype::u8, x.rows, {(x.width() + 7) / 8}}; }

}  // namespace

std::string_view name_of(ActivationKind kind) noexcept {
  switch (kind) {
    case ActivationKind::relu: return "relu";
    case ActivationKind::gelu: return "gelu";
    case ActivationKind::gelu_tanh: return "gelu_tanh";
    case ActivationKind::silu: return "silu";
    case ActivationKind::tanh: return "tanh";
    case ActivationKind::sigmoid: return "sigmoid";
    case ActivationKind::quick_gelu: return "quick_gelu";
    case ActivationKind::clipped_gelu: return "clipped_gelu";
    case ActivationKind::mish: return "mish";
  }
  return "";
}

std::vector<Type> kept_types(ActivationKind kind, const Type& x) {
  if (kind == ActivationKind::relu) return {mask_of(x)};
  if (slope_reads_result(kind)) return {};
  return {x};
}

Value activation_grad(ActivationKind kind, Value kept, Value dy) {
  return dy.graph->add(std::make_shared<ActivationGrad>(kind), {kept, dy});
}

double activation_flops(ActivationKind kind, const Graph& graph, const Type& type) {
  const double count = elements(graph, type);
  switch (kind) {
    case ActivationKind::relu: return count;
    case ActivationKind::gelu: return 44 * count;
    case ActivationKind::gelu_tanh: return 26 * count;
    case ActivationKind::silu: return 20 * count;
    case ActivationKind::tanh: return 34 * count;
    case ActivationKind::sigmoid: return 19 * count;
    case ActivationKind::quick_gelu: return 21 * count;
    case ActivationKind::clipped_gelu: return 45 * count;
    case ActivationKind::mish: return 27 * count;
  }
  return 0;
}

double activation_gradient_flops(ActivationKind kind, const Graph& graph, const Type& type) {
  const double count = elements(graph, type);
  return slope_reads_result(kind) ? 3 * count : activation_flops(kind, graph, type) + 4 * count;
}

std::vector<Type> Activation::infer(const OperandTypes& operands) const {
  require_real(*this, operands, 0, "x");
  const Type& x = operands[0];
  if (kind == ActivationKind::relu) return {x, mask_of(x)};
  return {x};
}

std::vector<Value> Activation::gradients(const GradientRequest& request) const {
  const Value dy = request.output_gradients[0];
  Value kept = request.input(0);
  if (kind == ActivationKind::relu) kept = request.output(1);
  if (slope_reads_result(kind)) kept = request.output(0);
  return {activation_grad(kind, kept, dy)};
}

double Activation::flops(const NodeCost& cost) const { return activation_flops(kind, cost.graph, cost.output(0)); }

std::vector<Type> ActivationGrad::infer(const OperandTypes& operands) const {
  require_real(*this, operands, kGradient, "dy");
  const Type& dy = operands[kGradient];
  const Type wanted = kind == ActivationKind::relu ? mask_of(dy) : dy;
  require<ShapeError>(operands.has(kKept) && operands[kKept] == wanted, "activation_grad: the kept value is {}; wanted {}",
                      operands.has(kKept) ? operands.graph.describe(operands[kKept]) : "absent", operands.graph.describe(wanted));
  return {dy};
}

std::vector<Alias> ActivationGrad::aliases() const {
  if (kind == ActivationKind::relu) return {{0, kGradient}};
  return {{0, kGradient}, {0, kKept}};
}

double ActivationGrad::flops(const NodeCost& cost) const { return activation_gradient_flops(kind, cost.graph, cost.output(0)); }

Value activation(Value x, ActivationKind kind) { return x.graph->add(std::make_shared<Activation>(kind), {x}); }

}  // namespace preamble
