// Columns taken apart into many values at once: the keys and values of all layers out of one table.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/graph/op.h"

namespace preamble {

/// yᵢ[r, :] = x[r, Σ_{j<i} widthsⱼ .. + widthsᵢ);  x [rows, Σ widths] -> yᵢ [rows, widthsᵢ], with or without a row space.
///
/// Gradient: dx = the dyᵢ side by side, zeros where a yᵢ is not read: one pass over x, however many parts there are.
/// Nothing is kept. Throws ShapeError unless the widths are positive and add up to the columns of x.
[[nodiscard]] std::vector<Value> split_columns(Value x, std::vector<std::int64_t> widths);

class SplitColumns final : public Op {
 public:
  explicit SplitColumns(std::vector<std::int64_t> columns) : widths(std::move(columns)) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "split_columns"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;

  const std::vector<std::int64_t> widths;
};

/// The gradient of `SplitColumns`: operands side by side, zeros for absent ones. No gradient.
class JoinColumns final : public Op {
 public:
  JoinColumns(std::vector<std::int64_t> columns, Type type) : widths(std::move(columns)), like(std::move(type)) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "join_columns"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;

  const std::vector<std::int64_t> widths;
  const Type like;
};

}  // namespace preamble
