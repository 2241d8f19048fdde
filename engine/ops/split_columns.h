// Columns taken apart into many values at once: the keys and values of all layers out of one table.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/graph/op.h"

namespace preamble {

/// yᵢ[r, :] = x[r, Σ_{j<i} widthsⱼ .. + widthsᵢ);  x [rows, Σ widths] -> yᵢ [rows, widthsᵢ], with or without a row space.
///
/// With `groups` x consists of so many blocks of Σ widths columns, each is taken apart, and yᵢ [rows, groups·widthsᵢ] holds its part of all of
/// them. (Queries, keys and values of one head side by side.)
///
/// Gradient: dx = the dyᵢ side by side, zeros where a yᵢ is not read: one pass over x, however many parts there are.
/// Nothing is kept. Throws ShapeError unless the widths are positive and add up to the columns of x.
[[nodiscard]] std::vector<Value> split_columns(Value x, std::vector<std::int64_t> widths, std::int64_t groups = 1);

class SplitColumns final : public Op {
 public:
  explicit SplitColumns(std::vector<std::int64_t> columns, std::int64_t blocks = 1) : widths(std::move(columns)), groups(blocks) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "split_columns"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;

  const std::vector<std::int64_t> widths;
  const std::int64_t groups;
};

/// The gradient of `SplitColumns`: operands side by side, zeros for absent ones. No gradient.
class JoinColumns final : public Op {
 public:
  JoinColumns(std::vector<std::int64_t> columns, std::int64_t blocks, Type type)
      : widths(std::move(columns)), groups(blocks), like(std::move(type)) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "join_columns"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;

  const std::vector<std::int64_t> widths;
  const std::int64_t groups;
  const Type like;
};

}  // namespace preamble
