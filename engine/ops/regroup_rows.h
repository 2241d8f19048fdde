// The same rows as other segments: sequences that are the choices of one question.
#pragma once

#include <cstdint>

#include "engine/graph/op.h"

namespace preamble {

/// y[r, :] = x[r, :]: rows that lie in a space with other segments.
///
///   x  [rows(R), D]
///   y  [rows(S), D]; S holds as many rows as R, in the program and in each run
///
/// Gradient: dx = regroup_rows(dy), nothing is kept. Not row-wise: no pass moves a gather through it, because what lies below (attention,
/// dropout) reads the segments of R. y may overwrite x.
/// Throws ShapeError if the capacities differ.
Value regroup_rows(Value x, RowSpaceId rows);

class RegroupRows final : public Op {
 public:
  explicit RegroupRows(RowSpaceId space) : rows(space) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "regroup_rows"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] bool cheap() const noexcept override { return true; }
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, 0}}; }

  const RowSpaceId rows;
};

}  // namespace preamble
