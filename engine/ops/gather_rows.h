// Rows picked by index, and the sum back into the rows they came from.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// y[r, :] = table[index[r], :]
///
///   table  [N, D] or, with a row space S, [rows(S), D]; of the graph's real type, or i32, which is copied; [N, D] besides of any
///          type of a `StoredMatrix`
///   index  [rows(R)] i32, each in [0, N)
///   y      [rows(R), D], i32 for an i32 table, else the graph's real type
///
/// Gradient: dtable = scatter_add_rows(dy, index), reads index alone. A row equal to `skip` gets none (torch's
/// padding_idx; -1: every row gets one). Row-wise in index.
/// Throws ShapeError, DtypeError; UnsupportedError if a gradient for a table that is not of the real type is asked for.
Value gather_rows(Value table, Value index, std::int64_t skip = -1);

/// Which indices of `merge_rows` point at the table: a[index] or b[-1 - index].
enum class Side : std::uint8_t { nonnegative, negative };

/// out[i, :] = Σ {dy[r, :] : target(index[r]) = i},  target(i) = i on the nonnegative side, -1 - i on the negative one.
///
///   dy     [rows(R), D], index [rows(R)] i32 -> out of type `like` ([N, D] or [rows(S), D])
///
/// Rows of the other side, and rows whose target is `skip`, are left out. Rows are added in the order of r.
Value scatter_add_rows(Value dy, Value index, Type like, Side side = Side::nonnegative, std::int64_t skip = -1);

class GatherRows final : public Op {
 public:
  static constexpr std::size_t kTable = 0, kIndex = 1;

  explicit GatherRows(std::int64_t skipped) : skip(skipped) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "gather_rows"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U << kIndex, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }

  const std::int64_t skip;
};

class ScatterAddRows final : public Op {
 public:
  static constexpr std::size_t kGradient = 0, kIndex = 1;

  ScatterAddRows(Type result, Side taken, std::int64_t skipped) : like(std::move(result)), side(taken), skip(skipped) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "scatter_add_rows"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const Type like;
  const Side side;
  const std::int64_t skip;
};

}  // namespace preamble
