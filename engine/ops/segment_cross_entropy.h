// The loss of predicting a row of each segment: where in its text an answer begins and ends.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// loss = weight Σ_s Σ_c (lse[s, c] - logits[r(s, c), c]),  lse[s, c] = log Σ_{r in s} exp(logits[r, c])
///
///   logits  [rows, C]: in each column the rows of a segment compete
///   labels  [N, C] i32, N at least the segments of a run: r(s, c) is row labels[s, c] of segment s. Below 0, or in a segment without
///           rows: no term
///   weight  scalar (1 / segments gives the mean of sums over the columns)
///   loss    scalar, summed in double
///
/// Gradient: dlogits[r, c] = dloss weight (p[r, c] - [r = r(s, c)]), p the softmax over the segment; 0 where there is no term. It
/// reads logits, labels and weight, and may overwrite logits. labels and weight have no gradient (UnsupportedError).
/// (Span prediction: Devlin et al. 2019, 4.2.)  Throws ShapeError, DtypeError.
Value segment_cross_entropy(Value logits, Value labels, Value weight);

/// Operands 0 logits, 1 labels, 2 weight; output loss.
class SegmentCrossEntropy final : public Op {
 public:
  static constexpr std::size_t kLogits = 0, kLabels = 1, kWeight = 2;

  [[nodiscard]] std::string_view name() const noexcept override { return "segment_cross_entropy"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;
};

/// Operands 0 logits, 1 labels, 2 weight, 3 dloss; output dlogits, which may overwrite logits.
class SegmentCrossEntropyGrad final : public Op {
 public:
  static constexpr std::size_t kLogits = 0, kLabels = 1, kWeight = 2, kGradient = 3;

  [[nodiscard]] std::string_view name() const noexcept override { return "segment_cross_entropy_grad"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, kLogits}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;
};

}  // namespace preamble
