// A few fixed rows of a table: the words of a vocabulary that stand for classes.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/graph/op.h"

namespace preamble {

/// y[i, :] = table[rows[i], :]
///
///   table  [N, D] or [N], without a row space; of any type of a `StoredMatrix`, or of the graph's real type
///   rows   n >= 1 different numbers in [0, N), known when the graph is built
///   y      [n, D] or [n], of the graph's real type
///
/// Gradient: dtable = put_rows(dy), nothing is kept. (Rows that are known at run time alone: `gather_rows`.)
/// Throws ShapeError, DtypeError; UnsupportedError if a gradient is asked for a table that is not of the real type.
Value pick_rows(Value table, std::vector<std::int32_t> rows);

class PickRows final : public Op {
 public:
  explicit PickRows(std::vector<std::int32_t> picked) : rows(std::move(picked)) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "pick_rows"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] bool cheap() const noexcept override { return true; }

  const std::vector<std::int32_t> rows;
};

/// The gradient of `PickRows`: table[rows[i], :] = y[i, :], 0 elsewhere;  y [n, D] or [n] -> table [N, D] or [N].
class PutRows final : public Op {
 public:
  PutRows(std::vector<std::int32_t> places, std::int64_t count) : rows(std::move(places)), total(count) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "put_rows"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] bool cheap() const noexcept override { return true; }

  const std::vector<std::int32_t> rows;
  const std::int64_t total;
};

}  // namespace preamble
