#include "engine/ops/top_k.h"

#include <memory>

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {

std::vector<Type> TopK::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, kLogits, "logits");
  const Type& logits = operands[kLogits];
  require<ShapeError>(count >= 1 && count <= logits.width(), "top_k: k is {} and logits are {}; wanted k in [1, {}]", count,
                      operands.graph.describe(logits), logits.width());
  const Dtype statistic = operands.graph.statistic();
  std::vector<Type> outputs = {{statistic, logits.rows, {count}},
                               {Dtype::i32, logits.rows, {count}},
                               {statistic, logits.rows, {}},
                               {statistic, logits.rows, {}}};
  if (operands.has(kAsked)) {
    const Type& asked = operands[kAsked];
    require<DtypeError>(asked.dtype == Dtype::i32, "top_k: asked is {}; wanted I32", operands.graph.describe(asked));
    require<ShapeError>(asked.rows == logits.rows && asked.dims.size() == 1, "top_k: asked is {} and logits are {}; wanted some for each row",
                        operands.graph.describe(asked), operands.graph.describe(logits));
    outputs.push_back({statistic, logits.rows, asked.dims});
  }
  if (operands.has(kOffset)) {
    const Type& offset = operands[kOffset];
    require<DtypeError>(offset.dtype == statistic, "top_k: offset is {}; wanted {}", operands.graph.describe(offset), name_of(statistic));
    require<ShapeError>(offset.rows == logits.rows && offset.width() == 1, "top_k: offset is {} and logits are {}; wanted one for each row",
                        operands.graph.describe(offset), operands.graph.describe(logits));
  }
  return outputs;
}

double TopK::flops(const NodeCost& cost) const {
  const bool sums = normalises || cost.used[kLogSum];
  // a comparison for the largest, one for the best
  return (sums ? kSoftmaxFlops : 2) * elements(cost.graph, cost.input(kLogits));
}

TopKResult top_k(Value logits, std::int64_t k, bool log_probabilities, const TopKOperands& operands) {
  const Value first = logits.graph->add(std::make_shared<TopK>(k, log_probabilities), {logits, operands.asked, operands.offset});
  const auto output = [&](std::size_t i) { return Value{first.graph, first.node, static_cast<std::int32_t>(i)}; };
  return {output(TopK::kScores), output(TopK::kIndex), output(TopK::kLargest), output(TopK::kLogSum),
          operands.asked ? output(TopK::kAskedScores) : Value{}};
}

}  // namespace preamble
