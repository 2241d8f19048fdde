#include "engine/ops/accumulate.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {

std::vector<Type> Accumulate::infer(const OperandTypes& operands) const {
  const Graph& graph = operands.graph;
  require<ShapeError>(operands.has(kSum) && operands.has(kValue), "accumulate: operand '{}' is absent",
                      operands.has(kSum) ? "value" : "sum");
  const Type& sum = operands[kSum];
  const Type& value = operands[kValue];
  require<ShapeError>(sum.rows == value.rows && sum.dims == value.dims, "accumulate: sum is {}, value is {}; wanted equal dimensions",
                      graph.describe(sum), graph.describe(value));
  const bool real = value.dtype == Dtype::f32 || value.dtype == Dtype::f64;
  require<DtypeError>(real && (sum.dtype == value.dtype || sum.dtype == Dtype::f64),
                      "accumulate: sum is {}, value is {}; wanted F32 or F64, and a sum of the value's type or F64", graph.describe(sum),
                      graph.describe(value));
  require<ShapeError>(operands.has(kFirst) && operands[kFirst] == Type{Dtype::i32, kNoRows, {}}, "accumulate: first is {}; wanted I32 []",
                      operands.has(kFirst) ? graph.describe(operands[kFirst]) : "absent");
  return {sum};
}

double Accumulate::flops(const NodeCost& cost) const { return elements(cost.graph, cost.output(0)); }

Value accumulate(Value sum, Value value, Value first) { return value.graph->add(std::make_shared<Accumulate>(), {sum, value, first}); }

}  // namespace preamble
