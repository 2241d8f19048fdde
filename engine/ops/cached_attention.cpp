#include "engine/ops/cached_attention.h"

#include "engine/core/error.h"

namespace preamble {
namespace {

void require_indices(const Op& op, const OperandTypes& operands, std::size_t index, std::string_view operand, std::size_t axes) {
  require<ShapeError>(operands.has(index), "{}: operand '{}' is absent", op.name(), operand);
  const Type& q = operands[CachedAttention::kQuery];
  const Type& type = operands[index];
  require<ShapeError>(type.dtype == Dtype::i32 && type.rows == q.rows && type.dims.size() == axes,
                      "{}: {} is {}; wanted I32 in the rows of q, {}{}", op.name(), operand, operands.graph.describe(type),
                      operands.graph.describe(q), axes == 1 ? ", L of them a row" : ", one a row");
}

bool has_prefix(const NodeCost& cost) {
  return CachedAttention::kPrefixKey < cost.node.inputs.size() && cost.node.inputs[CachedAttention::kPrefixKey].defined();
}

}  // namespace

std::vector<Type> CachedAttention::infer(const OperandTypes& operands) const {
  require_options(*this, options);
  require<ConfigError>(options.dropout.rate == 0, "cached_attention: a rate of dropout of {} was given; wanted 0", options.dropout.rate);
  require_rows(*this, operands, kQuery, "q");
  const Graph& graph = operands.graph;
  const Type& q = operands[kQuery];
  require<ShapeError>(q.width() > 0 && q.width() % options.heads == 0, "cached_attention: q is {}; wanted a width that {} heads divide",
                      graph.describe(q), options.heads);
  const std::int64_t kv_width = q.width() / options.heads * options.kv_heads;
  for (const std::size_t i : {kCacheKey, kCacheValue}) {
    const std::string_view operand = i == kCacheKey ? "cache_k" : "cache_v";
    require<ShapeError>(operands.has(i), "cached_attention: operand '{}' is absent", operand);
    const Type& cache = operands[i];
    require<ShapeError>(!cache.has_rows() && cache.dims.size() == 2 && cache.dims[1] == kv_width && cache == operands[kCacheKey],
                        "cached_attention: {} is {}; wanted [N, {}], the same for both", operand, graph.describe(cache), kv_width);
    require<DtypeError>(graph.computes_in(cache.dtype), "cached_attention: {} is {}; wanted {}", operand, graph.describe(cache),
                        name_of(graph.real()));
  }
  require_window(*this, options, operands.has(kBiasTable));
  require_indices(*this, operands, kTable, "table", 1);
  require_indices(*this, operands, kLengths, "lengths", 0);
  require_bias_and_prefix(*this, operands, options, kBiasTable, kPrefixKey, kSlots, kv_width);
  if (operands.has(kSlots)) require_indices(*this, operands, kSlots, "slots", 0);
  return {q};
}

double CachedAttention::flops(const NodeCost& cost) const {
  const Type& q = cost.input(kQuery);
  double keys = static_cast<double>(cost.input(kTable).dims[0]);
  if (has_prefix(cost)) {
    const RowSpace& prefix = cost.graph.rows(cost.input(kPrefixKey).rows);
    keys += static_cast<double>(prefix.rows) / static_cast<double>(prefix.segments);
  }
  return 4.0 * static_cast<double>(cost.rows(q) * q.width()) * keys;
}

Value cached_attention(const CachedAttentionOperands& operands, const AttentionOptions& options) {
  const CachedAttentionOperands& o = operands;
  std::vector<Value> inputs{o.q, o.cache_k, o.cache_v, o.table, o.lengths, o.bias_table, o.prefix_k, o.prefix_v, o.slots};
  while (!inputs.back()) inputs.pop_back();
  return o.q.graph->add(std::make_shared<CachedAttention>(options), std::move(inputs));
}

}  // namespace preamble
