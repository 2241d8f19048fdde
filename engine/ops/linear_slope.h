// A product that ends in the gradient of a function: what `activation_grad` would read is never written.
#pragma once

#include "engine/ops/linear.h"

namespace preamble {

/// dx = f'(kept) ∘ (W dy), with f = gelu_tanh.
///
///   dy    [rows, K] bf16
///   w     [N, K] (out_in) or [K, N] (in_out), bf16
///   kept  [rows, N] bf16: the argument of f in the forward pass
///   dx    [rows, N]
///
/// `fuse_slopes` makes it, after differentiation: it has no gradient rule. Row-wise in dy and kept.
class LinearSlope final : public Op {
 public:
  static constexpr std::size_t kInput = 0, kWeight = 1, kKept = 2;

  explicit LinearSlope(WeightLayout weights) : layout(weights) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "linear_slope"; }
  /// Throws ShapeError if K or N disagree, UnsupportedError for other types than bf16.
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U << kInput | 1U << kKept, Alignment::Reads::row}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const WeightLayout layout;
};

}  // namespace preamble
