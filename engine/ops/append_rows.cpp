#include "engine/ops/append_rows.h"

#include "engine/core/error.h"

namespace preamble {

std::vector<Type> AppendRows::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, kRows, "x");
  const Graph& graph = operands.graph;
  const Type& x = operands[kRows];
  require<ShapeError>(operands.has(kCache), "append_rows: operand 'cache' is absent");
  const Type& cache = operands[kCache];
  require<ShapeError>(!cache.has_rows() && cache.dims.size() == 2 && cache.dims[1] == x.width(), "append_rows: cache is {}; wanted [N, {}]",
                      graph.describe(cache), x.width());
  require<DtypeError>(cache.dtype == x.dtype, "append_rows: cache is {}; wanted {}", graph.describe(cache), name_of(x.dtype));
  const Type index{Dtype::i32, x.rows, {}};
  require<ShapeError>(operands.has(kIndex), "append_rows: operand 'index' is absent");
  require<ShapeError>(operands[kIndex] == index, "append_rows: index is {}; wanted {}", graph.describe(operands[kIndex]),
                      graph.describe(index));
  return {cache};
}

Value append_rows(Value cache, Value x, Value index) { return x.graph->add(std::make_shared<AppendRows>(), {cache, x, index}); }

}  // namespace preamble
