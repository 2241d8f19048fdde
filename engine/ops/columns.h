// Columns side by side, and parts of them. Values are rows of width D, or [N, D] without a row space.
#pragma once

#include <span>

#include "engine/graph/op.h"

namespace preamble {

/// y[r, :] = (x₀[r, :], x₁[r, :], ...);  xᵢ [rows, Dᵢ] -> y [rows, Σ Dᵢ].  At most 32 values.
///
/// Gradients: dxᵢ = the columns of dy that came from xᵢ; nothing is kept. Row-wise in all.
/// Throws ShapeError if the row spaces (or N) differ.
Value concat_columns(std::span<const Value> values);

/// y[r, :] = x[r, first .. first + count);  x [rows, D] -> y [rows, count].
///
/// Gradient: dx = dy with zeros around it; nothing is kept. Row-wise.
/// Throws ShapeError unless 0 <= first, 0 < count and first + count <= D.
Value slice_columns(Value x, std::int64_t first, std::int64_t count);

class ConcatColumns final : public Op {
 public:
  explicit ConcatColumns(std::size_t n) : values(n) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "concat_columns"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  /// All operands, if there are not too many for that.
  [[nodiscard]] Alignment aligned() const noexcept override {
    return {values < 32 ? (1U << values) - 1 : 0, Alignment::Reads::row};
  }
  [[nodiscard]] bool cheap() const noexcept override { return true; }

  const std::size_t values;
};

class SliceColumns final : public Op {
 public:
  SliceColumns(std::int64_t from, std::int64_t n) : first(from), count(n) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "slice_columns"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }

  const std::int64_t first, count;
};

/// The gradient of `SliceColumns`: y[r, first + i] = x[r, i], 0 elsewhere;  x [rows, count] -> y [rows, width].
class PadColumns final : public Op {
 public:
  PadColumns(std::int64_t from, std::int64_t columns) : first(from), width(columns) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "pad_columns"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }

  const std::int64_t first, width;
};

}  // namespace preamble
