// Several tables one behind the other, as one row space: the prompts of all slots.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// y = [a_0[0 : counts_0]; a_1[0 : counts_1]; ...]
///
///   a_i  [N_i, D], with or without a row space; N_i >= counts_i
///   y    [rows(space), D]; the space has Σ counts_i rows
///
/// Gradient: da_i = the rows of dy that came from a_i, and zero for rows behind counts_i (`slice_rows`). Nothing is kept.
/// Throws ShapeError if widths differ or counts do not fit.
Value concat_rows(const std::vector<Value>& values, std::vector<std::int64_t> counts, RowSpaceId space);

/// y[r] = x[first + r] for r < count, else 0;  x [rows, D] -> y of type `like`. No gradient.
Value slice_rows(Value x, std::int64_t first, std::int64_t count, Type like);

class ConcatRows final : public Op {
 public:
  ConcatRows(std::vector<std::int64_t> rows, RowSpaceId to) : counts(std::move(rows)), space(to) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "concat_rows"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] bool cheap() const noexcept override { return true; }

  const std::vector<std::int64_t> counts;
  const RowSpaceId space;
};

class SliceRows final : public Op {
 public:
  SliceRows(std::int64_t from, std::int64_t rows, Type type) : first(from), count(rows), like(std::move(type)) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "slice_rows"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;

  const std::int64_t first;
  const std::int64_t count;
  const Type like;
};

}  // namespace preamble
