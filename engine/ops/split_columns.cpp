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
  const std::int64_t block = std::accumulate(widths.begin(), widths.end(), std::int64_t{0});
  require<ShapeError>(!widths.empty() && positive && groups > 0 && block * groups == x.dims.back(),
                      "split_columns: x is {}; parts of {} columns were asked for{}", operands.graph.describe(x), fmt::join(widths, ", "),
                      groups == 1 ? "" : fmt::format(", in {} groups", groups));
  std::vector<Type> parts;
  for (const auto width : widths) parts.push_back(part_of(x, groups * width));
  return parts;
}

std::vector<Value> SplitColumns::gradients(const GradientRequest& request) const {
  const auto op = std::make_shared<JoinColumns>(widths, groups, request.input(0).type());
  return {request.graph.add(op, {request.output_gradients.begin(), request.output_gradients.end()})};
}

std::vector<Type> JoinColumns::infer(const OperandTypes& operands) const {
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Type part = part_of(like, groups * widths[i]);
    require<ShapeError>(!operands.has(i) || operands[i] == part, "join_columns: operand {} is {}; wanted {}", i,
                        operands.has(i) ? operands.graph.describe(operands[i]) : "absent", operands.graph.describe(part));
  }
  return {like};
}

std::vector<Value> split_columns(Value x, std::vector<std::int64_t> widths, std::int64_t groups) {
  const auto parts = static_cast<std::int32_t>(widths.size());
  const Value first = x.graph->add(std::make_shared<SplitColumns>(std::move(widths), groups), {x});
  std::vector<Value> values;
  for (std::int32_t i = 0; i < parts; ++i) values.push_back({first.graph, first.node, i});
  return values;
}

}  // namespace preamble
