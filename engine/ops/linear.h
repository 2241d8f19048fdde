// Affine map of rows, the op that dominates everything else.
#pragma once

#include <optional>

#include "engine/graph/op.h"
#include "engine/ops/activation.h"

namespace preamble {

/// How a weight matrix lies in memory.
enum class WeightLayout : std::uint8_t {
  out_in,  ///< [N, K]: torch's Linear
  in_out,  ///< [K, N]: GPT-2's Conv1D, and every Linear in the gradient for its input
};

/// The layout that turns a map into its transpose: dx = dy W.
[[nodiscard]] constexpr WeightLayout flipped(WeightLayout layout) noexcept {
  return layout == WeightLayout::out_in ? WeightLayout::in_out : WeightLayout::out_in;
}

/// y[r, :] = W x[r, :] + b (+ residual[r, :])
///
///   x         [rows, K]
///   w         [N, K] (out_in) or [K, N] (in_out); of any type of a `StoredMatrix`
///   b         [N], may be absent
///   residual  [rows, N], may be absent; may be overwritten by y
///   y         [rows, N]
///
/// Gradients: dx = dy W,  dW = dyᵀ x,  db = Σ_rows dy,  dresidual = dy.
/// With a frozen weight the gradient reads the weight alone: x is not kept. Row-wise in x and residual.
/// Throws ShapeError if K or N disagree.
Value linear(Value x, Value w, Value b = {}, WeightLayout layout = WeightLayout::out_in);

/// The same with a residual, which the kernel adds while the product is written.
Value linear_add(Value x, Value w, Value b, Value residual, WeightLayout layout);

/// f(W x + b) in one op. Output 1 is what the gradient of f reads (`kept_types`), written only if a gradient reads it.
Value linear_activation(Value x, Value w, Value b, WeightLayout layout, ActivationKind kind);

class Linear final : public Op {
 public:
  static constexpr std::size_t kInput = 0, kWeight = 1, kBias = 2, kResidual = 3;

  explicit Linear(WeightLayout weights, std::optional<ActivationKind> function = {}) : layout(weights), activation(function) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "linear"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U << kInput | 1U << kResidual, Alignment::Reads::row}; }
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, static_cast<std::int32_t>(kResidual)}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const WeightLayout layout;
  /// Applied to the sum; excludes a residual.
  const std::optional<ActivationKind> activation;
};

}  // namespace preamble
