// The vocabulary layer and its loss in one pass: logits never exist as a whole.
#pragma once

#include "engine/ops/cross_entropy.h"

namespace preamble {

/// cross_entropy(x Wᵀ + bias, labels, weight), see there; output 1 is nll as well.
///
///   x       [rows, D]
///   w       [V, D]; of any type of a `StoredMatrix`
///   bias    [V], may be absent
///   labels  [rows] i32, each in [0, V);  weight scalar or [rows]
///
/// The gradients of the loss for x, w and bias are computed in the same pass, where they are read: chunk by chunk of rows the
/// logits are made, turned into their own gradient, and multiplied with w (for x) and x (for w). What a backward pass keeps
/// is thus dx [rows, D] (and dw, dbias if these are trained), not x.
Value linear_cross_entropy(Value x, Value w, Value bias, Value labels, Value weight, double z_loss = 0);

/// Operands 0 x, 1 w, 2 bias (optional), 3 labels, 4 weight.
/// Outputs 0 loss, 1 nll, and the gradients of the loss: 2 dx [rows, D], 3 dw [V, D], 4 dbias [V].
class LinearCrossEntropy final : public Op {
 public:
  static constexpr std::size_t kInput = 0, kWeights = 1, kBias = 2, kLabels = 3, kWeight = 4;
  static constexpr std::size_t kLoss = 0, kNll = 1, kInputGradient = 2, kWeightsGradient = 3, kBiasGradient = 4;

  explicit LinearCrossEntropy(double z) : z_loss(z) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "linear_cross_entropy"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const double z_loss;
};

}  // namespace preamble
