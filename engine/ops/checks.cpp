#include "engine/ops/checks.h"

#include "engine/core/error.h"

namespace preamble {
namespace {

void require_present(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand) {
  require<ShapeError>(operands.has(index), "{}: operand '{}' is absent", op.name(), operand);
}

}  // namespace

void require_real(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand) {
  require_present(op, operands, index, operand);
  require<DtypeError>(operands.graph.computes_in(operands[index].dtype), "{}: {} is {}; wanted {}", op.name(), operand,
                      operands.graph.describe(operands[index]), name_of(operands.graph.real()));
}

void require_stored(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand) {
  const Dtype dtype = operands[index].dtype;
  const bool stored = operands.graph.computes_in(dtype) || dtype == Dtype::bf16 || dtype == Dtype::f16 || is_quantised(dtype);
  require<DtypeError>(stored, "{}: {} is {}; wanted {}, BF16, F16 or a quantised type", op.name(), operand,
                      operands.graph.describe(operands[index]), name_of(operands.graph.real()));
}

void require_scalar(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand) {
  require_parameter(op, operands, index, operand, {});
}

void require_weight(const Op& op, const OperandTypes& operands, std::size_t index, RowSpaceId rows) {
  if (!operands.has(index) || !operands[index].has_rows()) {
    require_scalar(op, operands, index, "weight");
    return;
  }
  const Type& weight = operands[index];
  require<ShapeError>(weight.rows == rows && weight.dims.empty(), "{}: weight is {}; wanted a number, or one for each row of the logits",
                      op.name(), operands.graph.describe(weight));
  require<DtypeError>(weight.dtype == operands.graph.statistic(), "{}: weight is {}; wanted {}", op.name(), operands.graph.describe(weight),
                      name_of(operands.graph.statistic()));
}

void require_indices(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand) {
  require_present(op, operands, index, operand);
  const Type& type = operands[index];
  require<ShapeError>(type.has_rows() && type.dims.empty(), "{}: {} is {}; wanted one number a row", op.name(), operand,
                      operands.graph.describe(type));
  require<DtypeError>(type.dtype == Dtype::i32, "{}: {} is {}; wanted I32", op.name(), operand, operands.graph.describe(type));
}

void require_parameter(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand, const Dims& dims) {
  require_dims(op, operands, index, operand, dims);
  require_real(op, operands, index, operand);
}

void require_matrix(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand) {
  require_real(op, operands, index, operand);
  const Type& type = operands[index];
  require<ShapeError>(type.dims.size() == (type.has_rows() ? 1 : 2), "{}: {} is {}; wanted rows of numbers or [N, D]", op.name(), operand,
                      operands.graph.describe(type));
}

void require_gradient_of_loss(const Op& op, const GradientRequest& request, std::size_t first, std::string_view operands) {
  for (std::size_t i = first; i < request.wanted.size(); ++i) {
    require<UnsupportedError>(!request.wanted[i], "{}: a gradient was asked for {}; these have none", op.name(), operands);
  }
  for (std::size_t i = 1; i < request.output_gradients.size(); ++i) {
    require<UnsupportedError>(!request.output_gradients[i], "{}: the loss of the program reads output {}; only output 0 has a gradient",
                              op.name(), i);
  }
}

double elements(const Graph& graph, const Type& type) { return static_cast<double>(graph.capacity(type) * type.width()); }

}  // namespace preamble
