// How likely a model finds the labels of each segment: the score of a choice (GLM: Du et al. 2022).
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// y[s, 0] = Σ_{r in s} log p[r, labels[r]],  p[r, :] = softmax(logits[r, :])
///
///   logits  [rows(R), V];  labels [rows(R)] i32, each in [0, V)
///   y       [rows(S), 1]: S has a row for each segment of R, those without rows included, whose score is 0
///
/// Gradient: dlogits[r, v] = dy[s] ([v = labels[r]] - p[r, v]). It reads logits and labels, and may overwrite logits. labels have no
/// gradient (UnsupportedError). Throws ShapeError, DtypeError.
Value segment_likelihood(Value logits, Value labels, RowSpaceId scores);

/// Operands 0 logits, 1 labels; output y.
class SegmentLikelihood final : public Op {
 public:
  static constexpr std::size_t kLogits = 0, kLabels = 1;

  explicit SegmentLikelihood(RowSpaceId space) : scores(space) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "segment_likelihood"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const RowSpaceId scores;
};

/// Operands 0 logits, 1 labels, 2 dy; output dlogits, which may overwrite logits.
class SegmentLikelihoodGrad final : public Op {
 public:
  static constexpr std::size_t kLogits = 0, kLabels = 1, kGradient = 2;

  [[nodiscard]] std::string_view name() const noexcept override { return "segment_likelihood_grad"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, kLogits}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;
};

}  // namespace preamble
