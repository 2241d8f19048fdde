// Rows of two sources in any order: prompts in front of each sequence.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// y[r, :] = index[r] >= 0 ? a[index[r], :] : b[-1 - index[r], :]
///
///   a, b     [N, D] or, with a row space, [rows, D]
///   index    [rows(R)] i32
///   where_b  [rows(W)] i32, optional: the rows r of R that come from b, each once
///   y        [rows(R), D]
///
/// Gradients: da = scatter_add_rows(dy, index, nonnegative). db = scatter_add_rows(dy, index, negative), and with where_b the
/// same over the rows where_b alone: then passes can see that only these rows of dy are read. Neither reads a or b.
/// Row-wise in index, unless where_b (which names rows of y) is given.
Value merge_rows(Value a, Value b, Value index, Value where_b = {});

class MergeRows final : public Op {
 public:
  static constexpr std::size_t kA = 0, kB = 1, kIndex = 2, kWhereB = 3;

  /// `located`: operand where_b is given.
  explicit MergeRows(bool has_where_b) : located(has_where_b) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "merge_rows"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {located ? 0 : 1U << kIndex, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }

  const bool located;
};

}  // namespace preamble
