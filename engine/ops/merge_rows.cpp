#include "engine/ops/merge_rows.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"
#include "engine/ops/gather_rows.h"

namespace preamble {
namespace {

/// Dimensions of one row.
Dims row_dims(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand) {
  require_real(op, operands, index, operand);
  const Type& type = operands[index];
  require<ShapeError>(type.has_rows() || type.dims.size() == 2, "{}: {} is {}; wanted rows or [N, D]", op.name(), operand,
                      operands.graph.describe(type));
  return type.has_rows() ? type.dims : Dims{type.dims[1]};
}

}  // namespace

std::vector<Type> MergeRows::infer(const OperandTypes& operands) const {
  const Dims a = row_dims(*this, operands, kA, "a");
  const Dims b = row_dims(*this, operands, kB, "b");
  require<ShapeError>(a == b, "merge_rows: a is {} and b is {}; wanted rows of equal size", operands.graph.describe(operands[kA]),
                      operands.graph.describe(operands[kB]));
  require_indices(*this, operands, kIndex, "index");
  if (located) require_indices(*this, operands, kWhereB, "where_b");
  // rows of a parameter join activations as activations
  const bool joined = operands[kA].dtype != operands[kB].dtype;
  return {{joined ? operands.graph.real() : operands[kA].dtype, operands[kIndex].rows, a}};
}

std::vector<Value> MergeRows::gradients(const GradientRequest& request) const {
  const Value dy = request.output_gradients[0];
  const Value index = request.input(kIndex);
  for (std::size_t i = kIndex; i < request.wanted.size(); ++i) {
    require<UnsupportedError>(!request.wanted[i], "merge_rows: a gradient was asked for '{}'; whole numbers have none",
                              i == kIndex ? "index" : "where_b");
  }
  std::vector<Value> d(request.node.inputs.size());
  if (request.wanted[kA]) d[kA] = scatter_add_rows(dy, index, request.input(kA).type(), Side::nonnegative);
  if (request.wanted[kB]) {
    const Type b = request.input(kB).type();
    if (located) {
      const Value where_b = request.input(kWhereB);
      d[kB] = scatter_add_rows(gather_rows(dy, where_b), gather_rows(index, where_b), b, Side::negative);
    } else {
      d[kB] = scatter_add_rows(dy, index, b, Side::negative);
    }
  }
  return d;
}

Value merge_rows(Value a, Value b, Value index, Value where_b) {
  return a.graph->add(std::make_shared<MergeRows>(where_b.defined()),
                      where_b ? std::vector{a, b, index, where_b} : std::vector{a, b, index});
}

}  // namespace preamble
