// A sum over several runs.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// sum = value in the first run of a sum, sum + value in later ones.
///
///   sum     [*]     a state leaf, updated in place, always; of the value's type, or F64
///   value   [*]     F32 or F64
///   first   i32 []  not 0: what `sum` holds is forgotten
///   result  [*]     the memory of `sum`
///
/// No gradient. Throws ShapeError, DtypeError.
Value accumulate(Value sum, Value value, Value first);

class Accumulate final : public Op {
 public:
  static constexpr std::size_t kSum = 0, kValue = 1, kFirst = 2;

  [[nodiscard]] std::string_view name() const noexcept override { return "accumulate"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, static_cast<std::int32_t>(kSum), true}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;
};

}  // namespace preamble
