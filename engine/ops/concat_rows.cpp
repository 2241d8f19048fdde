#include "engine/ops/concat_rows.h"

#include <numeric>

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {
namespace {

/// Rows of a table at capacity, with or without a row space.
std::int64_t rows_of(const Graph& graph, const Type& type) { return type.has_rows() ? graph.rows(type.rows).rows : type.dims.empty() ? 0 : type.dims[0]; }

/// Elements of a row, likewise.
std::int64_t row_width(const Type& type) { return type.has_rows() || type.dims.empty() ? type.width() : type.width() / type.dims[0]; }

}  // namespace

std::vector<Type> ConcatRows::infer(const OperandTypes& operands) const {
  require<ShapeError>(operands.size() == counts.size() && !counts.empty(), "concat_rows: {} operands and {} counts were given; wanted as many, and one at least",
                      operands.size(), counts.size());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    require_real(*this, operands, i, "a");
    require<ShapeError>(counts[i] >= 0 && counts[i] <= rows_of(operands.graph, operands[i]) && row_width(operands[i]) == row_width(operands[0]),
                        "concat_rows: operand {} is {}; wanted at least {} rows of {} elements", i, operands.graph.describe(operands[i]), counts[i],
                        row_width(operands[0]));
  }
  const std::int64_t total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  require<ShapeError>(operands.graph.rows(space).rows == total, "concat_rows: {} rows were given; the row space '{}' has {}", total,
                      operands.graph.rows(space).name, operands.graph.rows(space).rows);
  // rows of a parameter join activations as activations
  Dtype dtype = operands[0].dtype;
  for (std::size_t i = 1; i < counts.size(); ++i) dtype = operands[i].dtype == dtype ? dtype : operands.graph.real();
  return {{dtype, space, {row_width(operands[0])}}};
}

std::vector<Value> ConcatRows::gradients(const GradientRequest& request) const {
  std::vector<Value> d(counts.size());
  std::int64_t first = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (request.wanted[i]) d[i] = slice_rows(request.output_gradients[0], first, counts[i], request.input(i).type());
    first += counts[i];
  }
  return d;
}

std::vector<Type> SliceRows::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, 0, "x", row_width(like));
  require<ShapeError>(first >= 0 && count >= 0 && first + count <= rows_of(operands.graph, operands[0]) && count <= rows_of(operands.graph, like),
                      "slice_rows: rows [{}, {}) of {} were asked for as {}; wanted rows that both have", first, first + count,
                      operands.graph.describe(operands[0]), operands.graph.describe(like));
  return {like};
}

Value concat_rows(const std::vector<Value>& values, std::vector<std::int64_t> counts, RowSpaceId space) {
  require<ShapeError>(!values.empty(), "concat_rows: no operands were given; wanted one at least");
  return values[0].graph->add(std::make_shared<ConcatRows>(std::move(counts), space), values);
}

Value slice_rows(Value x, std::int64_t first, std::int64_t count, Type like) {
  return x.graph->add(std::make_shared<SliceRows>(first, count, std::move(like)), {x});
}

}  // namespace preamble
