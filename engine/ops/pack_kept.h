// A value in fewer bytes, from the forward pass to the backward pass.
#pragma once

#include "engine/graph/op.h"
#include "engine/ops/kept_form.h"

namespace preamble {

/// Packs rows: x [rows, D] of the graph's real type -> u8 [rows, packed_width(form, D)]. `rematerialise` makes such nodes; a model does not,
/// and they have no gradient. Row-wise. Throws ShapeError for a value without rows.
Value pack_kept(Value x, KeptForm form);

/// The rows again, of the graph's real type: rounded to bf16, or s q. `packed` is the result of `pack_kept` with that form.
Value unpack_kept(Value packed, KeptForm form);

/// Bytes of a packed row of D numbers: 2 D; or a float32 scale and D bytes.
[[nodiscard]] std::int64_t packed_width(KeptForm form, std::int64_t width) noexcept;

class PackKept final : public Op {
 public:
  explicit PackKept(KeptForm f) : form(f) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "pack_kept"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U, Alignment::Reads::row}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const KeptForm form;
};

class UnpackKept final : public Op {
 public:
  explicit UnpackKept(KeptForm f) : form(f) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "unpack_kept"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const KeptForm form;
};

}  // namespace preamble
