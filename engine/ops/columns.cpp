#include "engine/ops/columns.h"

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {
namespace {

/// The type with another number of columns.
Type with_columns(Type type, std::int64_t columns) {
  type.dims.back() = columns;
  return type;
}

}  // namespace

std::vector<Type> ConcatColumns::infer(const OperandTypes& operands) const {
  require<ShapeError>(values >= 1 && values <= 32, "concat_columns: {} values were given; wanted 1 to 32", values);
  std::int64_t columns = 0;
  for (std::size_t i = 0; i < values; ++i) {
    require_matrix(*this, operands, i, "a value");
    const Type& type = operands[i];
    require<ShapeError>(with_columns(type, 0) == with_columns(operands[0], 0), "concat_columns: values are {} and {}; wanted equal rows",
                        operands.graph.describe(operands[0]), operands.graph.describe(type));
    columns += type.dims.back();
  }
  return {with_columns(operands[0], columns)};
}

std::vector<Value> ConcatColumns::gradients(const GradientRequest& request) const {
  std::vector<Value> d(request.node.inputs.size());
  std::int64_t first = 0;
  for (std::size_t i = 0; i < values; ++i) {
    const std::int64_t columns = request.input(i).type().dims.back();
    if (request.wanted[i]) d[i] = slice_columns(request.output_gradients[0], first, columns);
    first += columns;
  }
  return d;
}

std::vector<Type> SliceColumns::infer(const OperandTypes& operands) const {
  require_matrix(*this, operands, 0, "x");
  const Type& x = operands[0];
  require<ShapeError>(first >= 0 && count > 0 && first <= x.dims.back() - count,
                      "slice_columns: x is {}; columns [{}, {} + {}) do not lie in it", operands.graph.describe(x), first, first, count);
  return {with_columns(x, count)};
}

std::vector<Value> SliceColumns::gradients(const GradientRequest& request) const {
  const std::int64_t width = request.input(0).type().dims.back();
  return {request.graph.add(std::make_shared<PadColumns>(first, width), {request.output_gradients[0]})};
}

std::vector<Type> PadColumns::infer(const OperandTypes& operands) const {
  require_matrix(*this, operands, 0, "x");
  const Type& x = operands[0];
  require<ShapeError>(first >= 0 && first <= width - x.dims.back(),
                      "pad_columns: x is {}; it does not fit into {} columns from column {} on", operands.graph.describe(x), width, first);
  return {with_columns(x, width)};
}

std::vector<Value> PadColumns::gradients(const GradientRequest& request) const {
  return {slice_columns(request.output_gradients[0], first, request.input(0).type().dims.back())};
}

Value concat_columns(std::span<const Value> values) {
  require<ShapeError>(!values.empty(), "concat_columns: no values were given; wanted 1 to 32");
  return values[0].graph->add(std::make_shared<ConcatColumns>(values.size()), {values.begin(), values.end()});
}

Value slice_columns(Value x, std::int64_t first, std::int64_t count) {
  return x.graph->add(std::make_shared<SliceColumns>(first, count), {x});
}

}  // namespace preamble
