#include "engine/ops/pick_rows.h"

#include <set>
#include <utility>

#include "engine/core/error.h"
#include "engine/ops/cast.h"
#include "engine/ops/checks.h"

namespace preamble {
namespace {

/// The type with another number of rows.
Type with_rows(Type type, Dtype dtype, std::int64_t rows) {
  type.dtype = dtype;
  type.dims.front() = rows;
  return type;
}

void require_table(const Op& op, const OperandTypes& operands, std::string_view operand) {
  require<ShapeError>(operands.has(0), "{}: operand '{}' is absent", op.name(), operand);
  const Type& table = operands[0];
  require<ShapeError>(!table.has_rows() && (table.dims.size() == 1 || table.dims.size() == 2), "{}: {} is {}; wanted [N, D] or [N]",
                      op.name(), operand, operands.graph.describe(table));
}

}  // namespace

std::vector<Type> PickRows::infer(const OperandTypes& operands) const {
  require_table(*this, operands, "table");
  const Type& table = operands[0];
  const Dtype real = operands.graph.real();
  require_stored(*this, operands, 0, "table");
  require<ShapeError>(!rows.empty(), "pick_rows: no rows were given; wanted one at least");
  for (const auto row : rows)
    require<ShapeError>(row >= 0 && row < table.dims.front(), "pick_rows: row {} was given; table is {}", row,
                        operands.graph.describe(table));
  require<ShapeError>(std::set(rows.begin(), rows.end()).size() == rows.size(), "pick_rows: a row was given twice; wanted different ones");
  return {with_rows(table, real, static_cast<std::int64_t>(rows.size()))};
}

std::vector<Value> PickRows::gradients(const GradientRequest& request) const {
  const Type& table = request.input(0).type();
  require<UnsupportedError>(request.graph.computes_in(table.dtype), "pick_rows: a gradient was asked for 'table', which is {}; wanted {}",
                            request.graph.describe(table), name_of(request.graph.real()));
  // trained tables may be wider than the activations that they become
  return {request.graph.add(std::make_shared<PutRows>(rows, table.dims.front()), {cast(request.output_gradients[0], table.dtype)})};
}

std::vector<Type> PutRows::infer(const OperandTypes& operands) const {
  require_table(*this, operands, "y");
  require_real(*this, operands, 0, "y");
  const Type& y = operands[0];
  require<ShapeError>(y.dims.front() == static_cast<std::int64_t>(rows.size()), "put_rows: y is {}; wanted {} rows",
                      operands.graph.describe(y), rows.size());
  return {with_rows(y, y.dtype, total)};
}

std::vector<Value> PutRows::gradients(const GradientRequest& request) const { return {pick_rows(request.output_gradients[0], rows)}; }

Value pick_rows(Value table, std::vector<std::int32_t> rows) {
  return table.graph->add(std::make_shared<PickRows>(std::move(rows)), {table});
}

}  // namespace preamble
