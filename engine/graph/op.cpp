#include "engine/graph/op.h"

#include "engine/core/error.h"

namespace preamble {

std::vector<Value> Op::gradients(const GradientRequest&) const {
  raise<UnsupportedError>("{}: a gradient was asked for; this op has none", name());
}

void require_rows(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand, std::int64_t width) {
  require<ShapeError>(operands.has(index), "{}: operand '{}' is absent", op.name(), operand);
  const Type& type = operands[index];
  require<ShapeError>(type.has_rows() && (width < 0 || type.width() == width), "{}: {} is {}; wanted rows{}", op.name(), operand,
                      operands.graph.describe(type), width < 0 ? "" : fmt::format(" of {} elements", width));
  require<DtypeError>(operands.graph.computes_in(type.dtype), "{}: {} is {}; wanted {}", op.name(), operand, operands.graph.describe(type),
                      name_of(operands.graph.real()));
}

void require_dims(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand, const Dims& dims) {
  require<ShapeError>(operands.has(index), "{}: operand '{}' is absent", op.name(), operand);
  const Type& type = operands[index];
  require<ShapeError>(!type.has_rows() && type.dims == dims, "{}: {} is {}; wanted {}", op.name(), operand, operands.graph.describe(type),
                      to_string(dims));
}

void require_same(const Op& op, const OperandTypes& operands, std::size_t a, std::size_t b) {
  require<ShapeError>(operands.has(a) && operands.has(b) && operands[a] == operands[b], "{}: operands are {} and {}; wanted equal types", op.name(),
                      operands.has(a) ? operands.graph.describe(operands[a]) : "absent",
                      operands.has(b) ? operands.graph.describe(operands[b]) : "absent");
}

}  // namespace preamble
