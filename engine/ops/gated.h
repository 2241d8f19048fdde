// The gated linear unit's product.
#pragma once

#include "engine/ops/activation.h"

namespace preamble {

/// y = f(a) ∘ b;  a, b, y of one type, with or without rows     (Shazeer 2020)
///
/// Gradients: da = f'(a) ∘ b ∘ dy,  db = f(a) ∘ dy, by one node that reads a, b and dy. Row-wise. y may overwrite a or b.
Value gated(Value a, Value b, ActivationKind kind);

class Gated final : public Op {
 public:
  explicit Gated(ActivationKind k) : kind(k) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "gated"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {0b11, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, 0}, {0, 1}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const ActivationKind kind;
};

/// Operands 0 a, 1 b, 2 dy; outputs 0 da, 1 db. Either may overwrite any operand, as both are written element by element.
class GatedGrad final : public Op {
 public:
  explicit GatedGrad(ActivationKind k) : kind(k) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "gated_grad"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {0b111, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }
  [[nodiscard]] std::vector<Alias> aliases() const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const ActivationKind kind;
};

}  // namespace preamble
