// One direction of one layer of a long short-term memory, for prompt encoders: a few rows, run once a step.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// z = x[r] + W h' + b in four blocks,  i = σ(z_i), f = σ(z_f), g = tanh(z_g), o = σ(z_o),
/// c[r] = f ∘ c' + i ∘ g,  h[r] = o ∘ tanh(c[r])       (Hochreiter & Schmidhuber 1997; blocks as in torch: i f g o)
/// where h', c' are those of the row before in the segment (behind, if `reversed`), zero at its start.
///
///   x  [rows, 4H]   the input's share: W_ih input + b_ih, by `linear`
///   w  [4H, H]      W_hh
///   b  [4H]         b_hh
///   h  [rows, H]
///   gates [rows, 4H] output 1 (i, f, g, o), cells [rows, H] output 2: read by the gradient
///
/// Gradients, from the last row to the first, with dh = dy[r] + Wᵀ dz of the row behind and dc = dh ∘ o ∘ (1 - tanh² c) +
/// dc ∘ f of the row behind:
///   dz = (dc ∘ g ∘ i(1-i), dc ∘ c' ∘ f(1-f), dc ∘ i ∘ (1-g²), dh ∘ tanh c ∘ o(1-o)),
///   dx = dz,  dW = Σ_r dz[r] h'ᵀ,  db = Σ_r dz[r].
/// Keeps w, h, gates and cells. Throws ShapeError, DtypeError.
Value lstm(Value x, Value w, Value b, bool reversed);

class Lstm final : public Op {
 public:
  static constexpr std::size_t kInput = 0, kWeight = 1, kBias = 2;
  static constexpr std::int32_t kGates = 1, kCells = 2;

  explicit Lstm(bool backwards) : reversed(backwards) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "lstm"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const bool reversed;
};

/// Operands 0 w, 1 h, 2 gates, 3 cells, 4 dy; outputs 0 dz [rows, 4H], 1 dW [4H, H]. No gradient.
class LstmGrad final : public Op {
 public:
  static constexpr std::size_t kWeight = 0, kHidden = 1, kGates = 2, kCells = 3, kGradient = 4;

  explicit LstmGrad(bool backwards) : reversed(backwards) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "lstm_grad"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const bool reversed;
};

}  // namespace preamble
