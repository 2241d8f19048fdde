// The norm of all gradients of a step: what clips them, and what says whether they are finite.
#pragma once

#include <span>

#include "engine/graph/op.h"

namespace preamble {

/// Results of `gradient_norm`.
struct GradientNormValues {
  Value scale;
  Value report;
  Value partial;
};

/// norm = √Σ g² over all gradients, and the factor that they are to be multiplied by.
///
///   gradients  [*]      any dimensions, of the graph's real type; at least one
///   loss       []       F32 or F64
///   scale      []       real: min(1, max_norm / (norm + 1e-6)), torch's clip_grad_norm_; 1 if max_norm is 0. NaN if the loss or a
///                       gradient is not finite: updates then change nothing
///   report     f64 [2]  loss and norm: what the host reads of a step
///   partial    f64 [N]  Σ g² of each block of `kBlock` elements, gradient after gradient; the last block of each may be shorter
///
/// Sums are in double, in the order of the blocks. No gradient. Throws ShapeError, DtypeError.
GradientNormValues gradient_norm(std::span<const Value> gradients, Value loss, double max_norm);

class GradientNorm final : public Op {
 public:
  static constexpr std::int64_t kBlock = 1 << 16;
  static constexpr std::int32_t kScale = 0, kReport = 1, kPartial = 2;

  explicit GradientNorm(double limit) : max_norm(limit) {}

  /// Blocks of a gradient of so many elements.
  [[nodiscard]] static constexpr std::int64_t blocks(std::int64_t elements) noexcept { return (elements + kBlock - 1) / kBlock; }

  [[nodiscard]] std::string_view name() const noexcept override { return "gradient_norm"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const double max_norm;
};

}  // namespace preamble
