// Sums over rows: gradients of weights and biases.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// C = Σ_r a[r, :]ᵀ b[r, :]
///
///   a [rows, M], b [rows, N] of one row space -> C [M, N]
///
/// No gradient. Throws ShapeError if the row spaces differ.
Value outer_sum(Value a, Value b);

/// s = Σ_r x[r, :];  x [rows, D] -> s [D].  Gradient: dx[r, :] = ds, not offered: nothing above a sum of rows is trained.
Value sum_rows(Value x);

class OuterSum final : public Op {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "outer_sum"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;
};

class SumRows final : public Op {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "sum_rows"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
};

}  // namespace preamble
