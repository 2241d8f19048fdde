#include "engine/ops/regroup_rows.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {

std::vector<Type> RegroupRows::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, 0, "x");
  const RowSpace& from = operands.graph.rows(operands[0].rows);
  const RowSpace& to = operands.graph.rows(rows);
  require<ShapeError>(from.rows == to.rows, "regroup_rows: x is {}, and '{}' holds {} rows; wanted as many",
                      operands.graph.describe(operands[0]), to.name, to.rows);
  return {{operands[0].dtype, rows, operands[0].dims}};
}

std::vector<Value> RegroupRows::gradients(const GradientRequest& request) const {
  return {regroup_rows(request.output_gradients[0], request.input(0).type().rows)};
}

Value regroup_rows(Value x, RowSpaceId rows) { return x.graph->add(std::make_shared<RegroupRows>(rows), {x}); }

}  // namespace preamble
