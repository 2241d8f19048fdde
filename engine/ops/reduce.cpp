#include "engine/ops/reduce.h"

#include "engine/core/error.h"

namespace preamble {

std::vector<Type> OuterSum::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, 0, "a");
  require_rows(*this, operands, 1, "b");
  require<ShapeError>(operands[0].rows == operands[1].rows, "outer_sum: operands are {} and {}; wanted one row space",
                      operands.graph.describe(operands[0]), operands.graph.describe(operands[1]));
  return {{operands.graph.statistic(), kNoRows, {operands[0].width(), operands[1].width()}}};
}

double OuterSum::flops(const NodeCost& cost) const {
  return 2.0 * static_cast<double>(cost.rows(cost.input(0)) * cost.input(0).width() * cost.input(1).width());
}

std::vector<Type> SumRows::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, 0, "x");
  return {{operands.graph.statistic(), kNoRows, operands[0].dims}};
}

Value outer_sum(Value a, Value b) { return a.graph->add(std::make_shared<OuterSum>(), {a, b}); }
Value sum_rows(Value x) { return x.graph->add(std::make_shared<SumRows>(), {x}); }

}  // namespace preamble
