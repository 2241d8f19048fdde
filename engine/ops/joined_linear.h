// Several linear maps of the same rows as one product.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/graph/op.h"

namespace preamble {

/// y[r, :] = W x[r, :] + b (+ residual[r, :]),  where W [ΣNᵢ, K] has the rows of all Wᵢ, one matrix behind the other, and b their biases; or, transposed,
/// y[r, :] = Wᵀ x[r, :] (+ residual[r, :]), the sum of all Wᵢᵀ xᵢ.
///
///   x         [rows, K]; transposed [rows, ΣNᵢ]
///   residual  as y, may be absent; may be overwritten by y
///   wᵢ        [Nᵢ, K], of the type of x
///   bᵢ        [Nᵢ], all of them or none; none where transposed
///   y         [rows, ΣNᵢ]; transposed [rows, K]
///
/// Gradients: dx is the transposed op of dy, dresidual = dy; weights and biases have none (they are frozen). Nothing is kept. Row-wise in x and
/// residual. `join_products` makes it.
class JoinedLinear final : public Op {
 public:
  static constexpr std::size_t kInput = 0, kResidual = 1, kWeights = 2;

  /// Operands: x, residual, `matrices` weights, and as many biases if there are some.
  explicit JoinedLinear(std::size_t matrices, bool is_transposed = false) : count(matrices), transposed(is_transposed) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "joined_linear"; }
  /// Throws ShapeError if K or Nᵢ disagree, UnsupportedError for weights of another type than x.
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U << kInput | 1U << kResidual, Alignment::Reads::row}; }
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, static_cast<std::int32_t>(kResidual)}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  [[nodiscard]] std::size_t weight(std::size_t i) const noexcept { return kWeights + i; }
  [[nodiscard]] std::size_t bias(std::size_t i) const noexcept { return kWeights + count + i; }

  const std::size_t count;
  const bool transposed;
};

/// `biases`: as many as weights, or none.
Value joined_linear(Value x, const std::vector<Value>& weights, const std::vector<Value>& biases);

}  // namespace preamble
