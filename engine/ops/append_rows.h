// Writes rows into a cache that outlives the run.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// cache[index[r], :] = x[r, :]
///
///   cache  [N, D]       a state leaf, or the output of another `append_rows`: updated in place, always
///   x      [rows, D]
///   index  i32 [rows]   distinct rows of the cache; a row of x whose index is outside [0, N) is dropped
///   result [N, D]       the cache's own memory: what reads it runs after the update
///
/// No gradient. Throws ShapeError, DtypeError.
Value append_rows(Value cache, Value x, Value index);

class AppendRows final : public Op {
 public:
  static constexpr std::size_t kCache = 0, kRows = 1, kIndex = 2;

  [[nodiscard]] std::string_view name() const noexcept override { return "append_rows"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, static_cast<std::int32_t>(kCache), true}}; }
};

}  // namespace preamble
