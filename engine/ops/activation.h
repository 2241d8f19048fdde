// Functions applied to every element.
#pragma once

#include <string_view>

#include "engine/graph/op.h"

namespace preamble {

enum class ActivationKind : std::uint8_t {
  relu,       ///< max(x, 0)
  gelu,       ///< x Φ(x) = x (1 + erf(x / √2)) / 2     (Hendrycks & Gimpel 2016)
  gelu_tanh,  ///< x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2: GPT-2's `gelu_new`
  silu,       ///< x σ(x)
  tanh,
  sigmoid,       ///< σ(x) = 1 / (1 + e⁻ˣ)
  quick_gelu,    ///< x σ(1.702 x)
  clipped_gelu,  ///< gelu(x), at most 10: transformers' `gelu_10`
  mish,          ///< x tanh(ln(1 + eˣ))    (Misra 2020)
};

/// `relu`, `gelu_tanh`, ...
[[nodiscard]] std::string_view name_of(ActivationKind kind) noexcept;

/// Operations that f takes for every element of such a value, roughly: an exponential counts as 16.
[[nodiscard]] double activation_flops(ActivationKind kind, const Graph& graph, const Type& type);

/// True if f'(x) is made of f(x): tanh, sigmoid.
[[nodiscard]] constexpr bool slope_reads_result(ActivationKind kind) noexcept {
  return kind == ActivationKind::tanh || kind == ActivationKind::sigmoid;
}

/// Operations of f'(x) dy for every element.
[[nodiscard]] double activation_gradient_flops(ActivationKind kind, const Graph& graph, const Type& type);

/// y = f(x) for every element;  x of the graph's real type, with or without rows -> y of x's type.
///
/// The gradient reads one value: relu a mask of one bit an element, tanh and sigmoid y, the others x.
/// Row-wise. y may overwrite x.
Value activation(Value x, ActivationKind kind);

/// What an op that ends in f adds to its outputs for the gradient of f: the mask for relu, x unless f' can be had from y.
/// `x`: type of the argument. Empty for tanh and sigmoid.
[[nodiscard]] std::vector<Type> kept_types(ActivationKind kind, const Type& x);

/// dx = f'(x) dy as a node; `kept`: the output of type kept_types, or y for tanh and sigmoid.
Value activation_grad(ActivationKind kind, Value kept, Value dy);

/// Operand 0 x; outputs 0 y and, for relu, 1 the mask: u8 [rows, ceil(D / 8)], bit i % 8 of byte i / 8 set where x[i] > 0.
class Activation final : public Op {
 public:
  explicit Activation(ActivationKind k) : kind(k) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "activation"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, 0}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const ActivationKind kind;
};

/// dx = f'(x) dy. Operands 0 what the forward pass kept (relu: mask; tanh, sigmoid: y; else x), 1 dy; output dx.
class ActivationGrad final : public Op {
 public:
  static constexpr std::size_t kKept = 0, kGradient = 1;

  explicit ActivationGrad(ActivationKind k) : kind(k) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "activation_grad"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U << kKept | 1U << kGradient, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }
  [[nodiscard]] std::vector<Alias> aliases() const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const ActivationKind kind;
};

}  // namespace preamble
