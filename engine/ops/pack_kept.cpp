#include "engine/ops/pack_kept.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {
namespace {

/// Of the float32 in front of the bytes of a row.
constexpr std::int64_t kScaleBytes = 4;

}  // namespace

std::int64_t packed_width(KeptForm form, std::int64_t width) noexcept { return form == KeptForm::bf16 ? 2 * width : width + kScaleBytes; }

std::vector<Type> PackKept::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, 0, "x");
  require<ShapeError>(form != KeptForm::exact, "pack_kept: the form 'exact' was given; wanted bf16 or int8");
  return {{Dtype::u8, operands[0].rows, {packed_width(form, operands[0].width())}}};
}

double PackKept::flops(const NodeCost& cost) const { return 2 * elements(cost.graph, cost.input(0)); }

std::vector<Type> UnpackKept::infer(const OperandTypes& operands) const {
  require<ShapeError>(form != KeptForm::exact, "unpack_kept: the form 'exact' was given; wanted bf16 or int8");
  const std::int64_t bytes = operands.has(0) ? operands[0].width() : 0;
  const std::int64_t width = form == KeptForm::bf16 ? bytes / 2 : bytes - kScaleBytes;
  require<ShapeError>(operands.has(0) && operands[0].has_rows() && operands[0].dtype == Dtype::u8 && width > 0 && packed_width(form, width) == bytes,
                      "unpack_kept: the operand is {}; wanted rows that pack_kept has made",
                      operands.has(0) ? operands.graph.describe(operands[0]) : "absent");
  return {{operands.graph.real(), operands[0].rows, {width}}};
}

double UnpackKept::flops(const NodeCost& cost) const { return elements(cost.graph, cost.output(0)); }

Value pack_kept(Value x, KeptForm form) { return x.graph->add(std::make_shared<PackKept>(form), {x}); }

Value unpack_kept(Value packed, KeptForm form) { return packed.graph->add(std::make_shared<UnpackKept>(form), {packed}); }

}  // namespace preamble
