#include "engine/ops/gather_rows.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {

std::vector<Type> GatherRows::infer(const OperandTypes& operands) const {
  require<ShapeError>(operands.has(kTable), "gather_rows: operand 'table' is absent");
  require_indices(*this, operands, kIndex, "index");
  const Type& table = operands[kTable];
  const Dtype real = operands.graph.real();
  require<ShapeError>(table.has_rows() || table.dims.size() == 2, "gather_rows: table is {}; wanted rows or [N, D]",
                      operands.graph.describe(table));
  if (table.has_rows()) {
    require<DtypeError>(operands.graph.computes_in(table.dtype) || table.dtype == Dtype::i32, "gather_rows: table is {}; wanted {}, I32",
                        operands.graph.describe(table), name_of(real));
  } else if (table.dtype != Dtype::i32) {
    require_stored(*this, operands, kTable, "table");
  }
  // embeddings become activations; rows stay what they are
  const Dtype result = table.has_rows() || table.dtype == Dtype::i32 ? table.dtype : real;
  return {{result, operands[kIndex].rows, table.has_rows() ? table.dims : Dims{table.dims[1]}}};
}

std::vector<Value> GatherRows::gradients(const GradientRequest& request) const {
  require<UnsupportedError>(!request.wanted[kIndex], "gather_rows: a gradient was asked for 'index'; whole numbers have none");
  std::vector<Value> d(request.node.inputs.size());
  if (!request.wanted[kTable]) return d;
  const Type table = request.input(kTable).type();
  require<UnsupportedError>(request.graph.computes_in(table.dtype), "gather_rows: a gradient was asked for 'table', which is {}; wanted {}",
                            request.graph.describe(table), name_of(request.graph.real()));
  d[kTable] = scatter_add_rows(request.output_gradients[0], request.input(kIndex), table, Side::nonnegative, skip);
  return d;
}

std::vector<Type> ScatterAddRows::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, kGradient, "dy");
  require_indices(*this, operands, kIndex, "index");
  const Type& dy = operands[kGradient];
  require<ShapeError>(operands[kIndex].rows == dy.rows, "scatter_add_rows: dy is {} and index is {}; wanted one row space",
                      operands.graph.describe(dy), operands.graph.describe(operands[kIndex]));
  require<ShapeError>(like.has_rows() ? like.dims == dy.dims : like.dims.size() == 2 && like.dims[1] == dy.width(),
                      "scatter_add_rows: dy is {}; wanted rows like those of {}", operands.graph.describe(dy),
                      operands.graph.describe(like));
  require<DtypeError>(operands.graph.computes_in(like.dtype), "scatter_add_rows: the result is {}; wanted {}", operands.graph.describe(like),
                      name_of(operands.graph.statistic()));
  return {like};
}

double ScatterAddRows::flops(const NodeCost& cost) const { return elements(cost.graph, cost.input(kGradient)); }

Value gather_rows(Value table, Value index, std::int64_t skip) {
  return table.graph->add(std::make_shared<GatherRows>(skip), {table, index});
}

Value scatter_add_rows(Value dy, Value index, Type like, Side side, std::int64_t skip) {
  return dy.graph->add(std::make_shared<ScatterAddRows>(std::move(like), side, skip), {dy, index});
}

}  // namespace preamble
