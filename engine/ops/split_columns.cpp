#include "engine/ops/split_columns.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {
namespace {

Type part_of(Type type, std::int64_t columns) {
  type.dims.back() = columns;
  return type;
}

}  // namespace

std::vector<Type> SplitColumns::infer(const OperandTypes& operands) const {
  require_matrix(*this, operands, 0, "x");
  const Type& x = operands[0];
  const bool positive = std::ranges::all_of(widths, [](std::int64_t width) { return width > 0; });
  require<ShapeError>(!widths.empty() && positive && std::accumulate(widths.begin(), widths.end(), std::int64_t{0}) == x.dims.back(),
                      "split_columns: x is {}; parts of {} columns were asked for", operands.graph.describe(x), fmt::join(widths, ", "));
  std::vector<Type> parts;
  for (const auto width : widths) parts.push_back(part_of(x, width));
  return parts;
}

std::vector<Value> SplitColumns::gradients(const GradientRequest& request) const {
  const auto op = std::make_shared<JoinColumns>(widths, request.input(0).type());
  return {request.graph.add(op, {request.output_gradients.begin(), request.output_gradients.end()})};
}

std::vector<Type> JoinColumns::infer(const OperandTypes& operands) const {
  for (std::size_t i = 0; i < operands.size(); ++i) {
    require<ShapeError>(!operands.has(i) || operands[i] == part_of(like, widths[i]), "join_columns: operand {} is {}; wanted {}", i,
                        operands.has(i) ? operands.graph.describe(operands[i]) : "absent",
                        operands.graph.describe(part_of(like, widths[i])));
  }
  return {like};
}

std::vector<Value> split_columns(Value x, std::vector<std::int64_t> widths) {
  const auto parts = static_cast<std::int32_t>(widths.size());
  const Value first = x.graph->add(std::make_shared<SplitColumns>(std::move(widths)), {x});
  std::vector<Value> values;
  for (std::int32_t i = 0; i < parts; ++i) values.push_back({first.graph, first.node, i});
  return values;
}

}  // namespace preamble
