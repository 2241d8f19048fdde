// Two affine maps with a function between them, without the wide value between them.
#pragma once

#include <cstdint>

#include "engine/ops/linear.h"

namespace preamble {

/// Widths: of x, of the value in the middle, of y.
struct FeedForwardShape {
  std::int64_t in = 0, width = 0, out = 0;
};

/// Of weights w1, w2 in these layouts.
[[nodiscard]] inline FeedForwardShape feed_forward_shape(const Type& w1, WeightLayout first, const Type& w2, WeightLayout second) {
  const bool out_in = first == WeightLayout::out_in;
  return {w1.dims[out_in ? 1 : 0], w1.dims[out_in ? 0 : 1], w2.dims[second == WeightLayout::out_in ? 0 : 1]};
}

/// Of a node. `Fused`: FeedForward or FeedForwardGrad.
template <class Fused>
[[nodiscard]] FeedForwardShape feed_forward_shape(const Fused& op, const NodeCost& cost) {
  return feed_forward_shape(cost.input(Fused::kFirstWeight), op.first, cost.input(Fused::kSecondWeight), op.second);
}

/// y[r] = W2 f(a[r]) + b2 (+ residual[r]),  a[r] = W1 x[r] + b1:  linear(linear_activation(x, w1, b1), w2, b2) as one node, in which
/// f(a) exists for a chunk of columns at a time. `fuse_feed_forward` makes it, after differentiation: it has no gradient rule.
///
///   x         [rows, K]
///   w1, w2    [F, K], [N, F] or, in_out, [K, F], [F, N]; as in `linear`
///   b1, b2    [F], [N], may be absent
///   residual  [rows, N], may be absent; may be overwritten by y
///   y         [rows, N]
///   kept      output 1, what the gradient of f reads (`kept_types` of a), written only if it is read
///
/// Row-wise in x and residual. Throws ShapeError, DtypeError.
class FeedForward final : public Op {
 public:
  static constexpr std::size_t kInput = 0, kFirstWeight = 1, kFirstBias = 2, kSecondWeight = 3, kSecondBias = 4, kResidual = 5;

  FeedForward(ActivationKind function, WeightLayout first_weights, WeightLayout second_weights)
      : activation(function), first(first_weights), second(second_weights) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "feed_forward"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U << kInput | 1U << kResidual, Alignment::Reads::row}; }
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, static_cast<std::int32_t>(kResidual)}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const ActivationKind activation;
  const WeightLayout first, second;
};

/// dx[r] = W1ᵀ (f'(a[r]) ∘ W2ᵀ dy[r]) (+ residual[r]): the gradient of the same for x alone, in which neither factor of the product
/// exists as a whole.
///
/// Operands 0 what f' reads of a (`ActivationGrad::kKept`) or, `recomputes`, x, from which a is made again; 1 dy; 2 w1; 3 b1, only
/// where a is made again; 4 w2; 5 residual, may be absent and may be overwritten by dx. The layouts are those of `FeedForward`.
class FeedForwardGrad final : public Op {
 public:
  static constexpr std::size_t kKept = 0, kGradient = 1, kFirstWeight = 2, kFirstBias = 3, kSecondWeight = 4, kResidual = 5;

  FeedForwardGrad(ActivationKind function, WeightLayout first_weights, WeightLayout second_weights, bool from_input)
      : activation(function), first(first_weights), second(second_weights), recomputes(from_input) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "feed_forward_grad"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, static_cast<std::int32_t>(kResidual)}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const ActivationKind activation;
  const WeightLayout first, second;
  const bool recomputes;
};

}  // namespace preamble
