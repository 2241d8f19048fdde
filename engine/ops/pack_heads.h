// Keys and values as files hold them, [layer][head][position][dim], as rows of positions, and back.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// y[p, (l·H + h)·d + j] = x[l, h, p, j];  x [L, H, P, d] -> y [P, L·H·d], without row spaces.
///
/// Gradient: the inverse, applied to dy; nothing is kept. Throws ShapeError for another number of axes.
Value pack_heads(Value x);

/// The inverse: x[l, h, p, j] = y[p, (l·H + h)·d + j];  y [P, L·H·d] -> x [L, H, P, d]. Gradient: pack_heads(dx).
Value unpack_heads(Value y, Dims dims);

class PackHeads final : public Op {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "pack_heads"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
};

class UnpackHeads final : public Op {
 public:
  explicit UnpackHeads(Dims to) : dims(std::move(to)) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "unpack_heads"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;

  const Dims dims;  ///< [L, H, P, d]
};

}  // namespace preamble
