// The loss of predicting a class from logits.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// loss = Σ_r weight[r] (nll[r] + z_loss lse[r]²),  lse[r] = log Σ_v exp(logits[r, v]),  nll[r] = lse[r] - logits[r, labels[r]]
///
///   logits  [rows, V];  labels [rows] i32, each in [0, V)
///   weight  one number for all rows (1 / rows gives the mean), or [rows]
///   z_loss  keeps logits near 0 (Mesh TensorFlow; T5 was pretrained with 1e-4)
///   loss    scalar, summed in double
///
/// Output 1 of the node is nll [rows]: neither weighted nor with the z term, and without a gradient (`nll_of`).
///
/// Gradient: dlogits[r, v] = dloss weight[r] (p[r, v] (1 + 2 z_loss lse[r]) - [v = labels[r]]), p = softmax(logits).
/// It reads logits, labels and weight, and may overwrite logits. labels and weight have no gradient (UnsupportedError).
Value cross_entropy(Value logits, Value labels, Value weight, double z_loss = 0);

/// The negative log likelihood of each row, of a loss made by `cross_entropy` or `linear_cross_entropy`.
[[nodiscard]] inline Value nll_of(Value loss) noexcept { return {loss.graph, loss.node, 1}; }

/// Operands 0 logits, 1 labels, 2 weight; outputs 0 loss, 1 nll.
class CrossEntropy final : public Op {
 public:
  static constexpr std::size_t kLogits = 0, kLabels = 1, kWeight = 2;

  explicit CrossEntropy(double z) : z_loss(z) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "cross_entropy"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const double z_loss;
};

/// Operands 0 logits, 1 labels, 2 weight, 3 dloss; output dlogits, which may overwrite logits.
class CrossEntropyGrad final : public Op {
 public:
  static constexpr std::size_t kLogits = 0, kLabels = 1, kWeight = 2, kGradient = 3;

  /// `each`: weight is [rows].
  explicit CrossEntropyGrad(double z, bool each = false) : z_loss(z), weighs_rows(each) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "cross_entropy_grad"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] Alignment aligned() const noexcept override {
    return {1U << kLogits | 1U << kLabels | (weighs_rows ? 1U << kWeight : 0U), Alignment::Reads::row};
  }
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, kLogits}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const double z_loss;
  const bool weighs_rows;
};

}  // namespace preamble
