// Another element type.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// y = x in the other of a graph's two types: rounded to nearest from f32 to bf16, exact from bf16 to f32. x itself if it has the type.
/// The gradient is cast back. Row-wise. Throws DtypeError for a type that the graph does not compute in.
Value cast(Value x, Dtype dtype);

class Cast final : public Op {
 public:
  explicit Cast(Dtype type) : dtype(type) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "cast"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }

  const Dtype dtype;
};

}  // namespace preamble
