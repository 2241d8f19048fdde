// A matrix per attention head.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// With W_h rows h·d .. (h+1)·d of w:
///
///   expand:  y[r, h, :] = W_hᵀ x[r, h, :]     x [rows, H·d] -> y [rows, H·D]
///   reduce:  y[r, h, :] = W_h x[r, h, :]      x [rows, H·D] -> y [rows, H·d]
///
///   w  [H·d, D], frozen; of any type of a `StoredMatrix`
///
/// Each is the other's gradient for x, and reads w alone. w has no gradient (UnsupportedError). Row-wise in x.
/// Throws ShapeError if the widths do not fit.
Value head_expand(Value x, Value w, std::int64_t heads);
Value head_reduce(Value x, Value w, std::int64_t heads);

class HeadLinear final : public Op {
 public:
  static constexpr std::size_t kInput = 0, kWeight = 1;
  enum class Direction : std::uint8_t { expand, reduce };

  HeadLinear(std::int64_t count, Direction way) : heads(count), direction(way) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "head_linear"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U << kInput, Alignment::Reads::row}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const std::int64_t heads;
  const Direction direction;
};

}  // namespace preamble
