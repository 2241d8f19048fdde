#include "engine/ops/attention.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include "engine/core/error.h"
#include "engine/graph/node_cost.h"

namespace preamble {
namespace {

constexpr std::array<std::string_view, 12> kOperandNames = {"q",          "k",          "v",     "bias_table", "prefix_k", "prefix_v",
                                                            "position_k", "position_q", "slots", "kv_segment", "context",  "dropout_key"};

void require_segment_index(const Op& op, const OperandTypes& operands, std::size_t index) {
  if (!operands.has(index)) return;
  const Type& q = operands[Attention::kQuery];
  const Type wanted{Dtype::i32, kNoRows, {operands.graph.rows(q.rows).segments}};
  require<ShapeError>(operands[index] == wanted, "{}: {} is {}; wanted {} (segments of q)", op.name(), kOperandNames[index],
                      operands.graph.describe(operands[index]), operands.graph.describe(wanted));
}

void require_position_tables(const Op& op, const OperandTypes& operands, const AttentionOptions& options) {
  const Graph& graph = operands.graph;
  bool given = false;
  for (const std::size_t i : {Attention::kPositionKey, Attention::kPositionQuery}) {
    if (!operands.has(i)) continue;
    given = true;
    require_rows(op, operands, i, kOperandNames[i], operands[Attention::kQuery].width());
    const std::int64_t rows = graph.rows(operands[i].rows).rows;
    require<ShapeError>(rows >= 2 * std::int64_t{options.disentangled.span()}, "{}: {} is {}; wanted {} rows or more", op.name(),
                        kOperandNames[i], graph.describe(operands[i]), 2 * options.disentangled.span());
  }
  if (!given) return;
  require<ShapeError>(!operands.has(Attention::kBiasTable), "{}: a bias table and position tables were given; wanted one kind", op.name());
  require<ConfigError>(options.heads == options.kv_heads,
                       "{}: position tables, {} heads and {} kv_heads were given; wanted as many of both", op.name(), options.heads,
                       options.kv_heads);
  const DisentangledPositions& positions = options.disentangled;
  constexpr int kLongest = 1 << 20;
  require<ConfigError>(positions.buckets >= 0 && positions.buckets % 2 == 0 && positions.max_distance > positions.buckets / 2 + 1 &&
                           positions.max_distance <= kLongest,
                       "{}: {} buckets and a max_distance of {} were given; wanted an even number and a distance from {} to {}", op.name(),
                       positions.buckets, positions.max_distance, positions.buckets / 2 + 2, kLongest);
}

void require_dropout(const Op& op, const OperandTypes& operands, const AttentionDropout& dropout) {
  require<ConfigError>(dropout.rate >= 0 && dropout.rate < 1, "{}: a rate of dropout of {} was given; wanted a number from 0 to below 1",
                       op.name(), dropout.rate);
  if (dropout.rate == 0) return;
  require_dims(op, operands, Attention::kDropoutKey, "dropout_key", {2});
  require<DtypeError>(operands[Attention::kDropoutKey].dtype == Dtype::i32, "{}: dropout_key is {}; wanted I32", op.name(),
                      operands.graph.describe(operands[Attention::kDropoutKey]));
}

/// Operands 0 to 11, which both ops have.
void require_operands(const Op& op, const OperandTypes& operands, const AttentionOptions& options) {
  require_options(op, options);
  require_rows(op, operands, Attention::kQuery, "q");
  const Type& q = operands[Attention::kQuery];
  require<ShapeError>(q.width() > 0 && q.width() % options.heads == 0, "{}: q is {}; wanted a width that {} heads divide", op.name(),
                      operands.graph.describe(q), options.heads);
  const std::int64_t kv_width = q.width() / options.heads * options.kv_heads;
  require_rows(op, operands, Attention::kKey, "k", kv_width);
  require_rows(op, operands, Attention::kValue, "v", kv_width);
  require<ShapeError>(operands[Attention::kKey].rows == operands[Attention::kValue].rows, "{}: k is {} and v is {}; wanted one row space",
                      op.name(), operands.graph.describe(operands[Attention::kKey]), operands.graph.describe(operands[Attention::kValue]));
  require_bias_and_prefix(op, operands, options, Attention::kBiasTable, Attention::kPrefixKey, Attention::kSlots, kv_width);
  require_position_tables(op, operands, options);
  require_window(op, options, operands.has(Attention::kBiasTable) || operands.has(Attention::kPositionKey) || operands.has(Attention::kPositionQuery));
  require_segment_index(op, operands, Attention::kSlots);
  require_segment_index(op, operands, Attention::kKeySegment);
  require_segment_index(op, operands, Attention::kContext);
  require<ConfigError>(options.causal || !operands.has(Attention::kContext), "{}: a context was given without causal; wanted both or neither",
                       op.name());
  require<UnsupportedError>(!operands.has(Attention::kContext) || (options.window == 0 && !options.keys_in_front),
                            "{}: a context was given with a window or with keys in front; wanted neither", op.name());
  require_dropout(op, operands, options.dropout);
}

/// Rows of an average segment at capacity.
double average_length(const NodeCost& cost, std::size_t operand) {
  const RowSpace& space = cost.graph.rows(cost.input(operand).rows);
  return static_cast<double>(space.rows) / static_cast<double>(space.segments);
}

/// Operations of one product of queries and own keys, of one with prefix keys, of queries and position_k, of keys and position_q;
/// of the masks.
struct Products {
  double own = 0, prefix = 0, position_key = 0, position_query = 0, masks = 0;
};

Products products(const NodeCost& cost, const AttentionOptions& options) {
  const Type& q = cost.input(Attention::kQuery);
  const double queries = 2.0 * static_cast<double>(cost.rows(q) * q.width());
  Products p;
  const double most = options.window > 0 ? static_cast<double>(options.window) : std::numeric_limits<double>::infinity();
  p.own = queries * std::min(average_length(cost, Attention::kKey) * (options.causal && !has(cost, Attention::kContext) ? 0.5 : 1.0), most);
  if (has(cost, Attention::kPrefixKey)) p.prefix = queries * average_length(cost, Attention::kPrefixKey);
  if (options.dropout.rate > 0) {
    // ten rounds of Philox for eight probabilities
    constexpr double kMask = 10;
    p.masks = kMask * (p.own + p.prefix) / (2.0 * static_cast<double>(q.width()) / options.heads);
  }
  const auto seen = [&](std::size_t table) {
    return std::min(static_cast<double>(cost.rows(cost.input(table))),
                    average_length(cost, Attention::kQuery) + average_length(cost, Attention::kKey));
  };
  const Type& k = cost.input(Attention::kKey);
  if (has(cost, Attention::kPositionKey)) p.position_key = queries * seen(Attention::kPositionKey);
  if (has(cost, Attention::kPositionQuery)) {
    p.position_query = 2.0 * static_cast<double>(cost.rows(k) * k.width()) * seen(Attention::kPositionQuery);
  }
  return p;
}

}  // namespace

void require_options(const Op& op, const AttentionOptions& options) {
  require<ConfigError>(options.heads > 0 && options.kv_heads > 0 && options.heads % options.kv_heads == 0,
                       "{}: {} heads and {} kv_heads were given; wanted positive numbers of which the second divides the first", op.name(),
                       options.heads, options.kv_heads);
}

void require_window(const Op& op, const AttentionOptions& options, bool biased) {
  require<ConfigError>(options.window >= 0, "{}: a window of {} keys was given; wanted 0 (none) or more", op.name(), options.window);
  require<UnsupportedError>(options.window == 0 || !biased, "{}: a window of {} keys and biases by position were given; wanted one of them",
                            op.name(), options.window);
  require<UnsupportedError>(options.window == 0 || options.causal || options.keys_in_front,
                            "{}: a window of {} keys was given for an attention in both directions; wanted a causal one", op.name(),
                            options.window);
}

void require_bias_and_prefix(const Op& op, const OperandTypes& operands, const AttentionOptions& options, std::size_t bias_table,
                             std::size_t prefix_key, std::size_t slots, std::int64_t kv_width) {
  const Graph& graph = operands.graph;
  if (operands.has(bias_table)) {
    const Type& table = operands[bias_table];
    require<ShapeError>(!table.has_rows() && table.dims.size() == 2 && table.dims[1] == options.heads,
                        "{}: bias_table is {}; wanted [buckets, {}]", op.name(), graph.describe(table), options.heads);
    require<DtypeError>(graph.computes_in(table.dtype), "{}: bias_table is {}; wanted {}", op.name(), graph.describe(table),
                        name_of(graph.real()));
    const std::int64_t direction = options.relative.bidirectional ? table.dims[0] / 2 : table.dims[0];
    constexpr int kLongest = 1 << 20;
    require<ConfigError>(direction >= 2 && options.relative.max_distance > direction / 2 && options.relative.max_distance <= kLongest,
                         "{}: {} buckets a direction and a max_distance of {} were given; wanted at least 2 and a distance from {} to {}",
                         op.name(), direction, options.relative.max_distance, direction / 2 + 1, kLongest);
  }
  const std::size_t prefix_value = prefix_key + 1;
  require<ShapeError>(operands.has(prefix_key) == operands.has(prefix_value),
                      "{}: one of prefix_k and prefix_v is absent; wanted both or neither", op.name());
  require<ShapeError>(!operands.has(slots) || operands.has(prefix_key), "{}: slots were given without a prefix; wanted both or neither",
                      op.name());
  if (!operands.has(prefix_key)) return;
  require_rows(op, operands, prefix_key, "prefix_k", kv_width);
  require_rows(op, operands, prefix_value, "prefix_v", kv_width);
  require<ShapeError>(operands[prefix_key].rows == operands[prefix_value].rows,
                      "{}: prefix_k is {} and prefix_v is {}; wanted one row space", op.name(), graph.describe(operands[prefix_key]),
                      graph.describe(operands[prefix_value]));
}

std::vector<Type> Attention::infer(const OperandTypes& operands) const {
  require_operands(*this, operands, options);
  const Type& q = operands[kQuery];
  return {q, {operands.graph.statistic(), q.rows, {options.heads}}};
}

std::vector<Alias> Attention::aliases() const { return {{kOutput, kQuery}}; }

std::vector<Value> Attention::prefix_gradients(const GradientRequest& request) const {
  const Node& node = request.node;
  const auto given = [&](std::size_t i) { return i < node.inputs.size() && node.inputs[i]; };
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (request.wanted[i] && i != kPrefixKey && i != kPrefixValue) return {};
  }
  if (!given(kSlots) || node.inputs[kPrefixKey] == node.inputs[kPrefixValue]) return {};
  if (given(kBiasTable) && options.prefix_has_positions) return {};
  // the slots are K's segments, and every query sees all of its slot, or what the window leaves of it
  AttentionOptions whole = options;
  whole.causal = false;
  whole.keys_in_front = true;
  std::vector<Value> operands(AttentionGrad::kOutput + 1);
  operands[kQuery] = request.input(kQuery);
  operands[kKey] = request.input(kPrefixKey);
  operands[kValue] = request.input(kPrefixValue);
  operands[kKeySegment] = request.input(kSlots);
  if (given(kDropoutKey)) operands[kDropoutKey] = request.input(kDropoutKey);
  operands[AttentionGrad::kOutputGradient] = request.output_gradients[kOutput];
  operands[AttentionGrad::kLogSumExp] = request.output(kLogSumExp);
  operands[AttentionGrad::kOutput] = request.output(kOutput);
  const Value grad = request.graph.add(std::make_shared<AttentionGrad>(whole, false), std::move(operands));
  std::vector<Value> d(node.inputs.size());
  if (request.wanted[kPrefixKey]) d[kPrefixKey] = {grad.graph, grad.node, static_cast<std::int32_t>(kKey)};
  if (request.wanted[kPrefixValue]) d[kPrefixValue] = {grad.graph, grad.node, static_cast<std::int32_t>(kValue)};
  return d;
}

std::vector<Value> Attention::gradients(const GradientRequest& request) const {
  require<UnsupportedError>(request.output_gradients.size() <= kLogSumExp || !request.output_gradients[kLogSumExp],
                            "attention: a gradient through log_sum_exp was asked for; there is none");
  if (auto alone = prefix_gradients(request); !alone.empty()) return alone;
  std::vector<Value> operands(kDropoutKey + 1);
  std::ranges::copy(request.node.inputs, operands.begin());
  operands.push_back(request.output_gradients[kOutput]);
  operands.push_back(request.output(kLogSumExp));
  std::vector<Value> d(request.node.inputs.size());
  const bool joint = request.input(kKey) == request.input(kValue);
  const Value node = request.graph.add(std::make_shared<AttentionGrad>(options, joint), std::move(operands));
  for (std::size_t i = 0; i < d.size(); ++i) {
    if (!request.wanted[i] || (joint && i == kValue)) continue;
    require<UnsupportedError>(i < kSlots, "attention: a gradient for operand '{}' was asked for; there is none", kOperandNames[i]);
    d[i] = {node.graph, node.node, static_cast<std::int32_t>(i)};
  }
  return d;
}

double Attention::flops(const NodeCost& cost) const {
  const Products p = products(cost, options);
  return 2.0 * (p.own + p.prefix) + p.position_key + p.position_query + p.masks;
}

AttentionGrad::AttentionGrad(const AttentionOptions& given, bool joint_keys)
    : options(given), joint(joint_keys), keys_in_place(!joint_keys && given.kv_heads >= kFewestHeadsInPlace) {}

std::vector<Type> AttentionGrad::infer(const OperandTypes& operands) const {
  require_operands(*this, operands, options);
  const Type& q = operands[Attention::kQuery];
  require_rows(*this, operands, kOutputGradient, "do", q.width());
  require_rows(*this, operands, kLogSumExp, "log_sum_exp", options.heads);
  for (const std::size_t i : {kOutputGradient, kLogSumExp}) {
    require<ShapeError>(operands[i].rows == q.rows, "attention_grad: {} is {}; wanted the row space of q, {}",
                        i == kLogSumExp ? "log_sum_exp" : "do", operands.graph.describe(operands[i]), operands.graph.describe(q));
  }
  if (operands.has(kOutput)) {
    require<ShapeError>(operands[kOutput] == q, "attention_grad: o is {}; wanted {}", operands.graph.describe(operands[kOutput]),
                        operands.graph.describe(q));
  }
  std::vector<Type> gradients;
  for (std::size_t i = 0; i <= Attention::kPositionQuery; ++i) {
    gradients.push_back(operands.has(i) ? operands[i] : Type{q.dtype, kNoRows, {0}});
  }
  return gradients;
}

std::vector<Alias> AttentionGrad::aliases() const {
  const auto alias = [](std::size_t output, std::size_t input) {
    return Alias{static_cast<std::int32_t>(output), static_cast<std::int32_t>(input)};
  };
  std::vector<Alias> all = {alias(Attention::kQuery, kOutputGradient)};
  if (keys_in_place) all.insert(all.end(), {alias(Attention::kKey, Attention::kKey), alias(Attention::kValue, Attention::kValue)});
  return all;
}

double AttentionGrad::flops(const NodeCost& cost) const {
  const Products p = products(cost, options);
  const auto used = [&](std::size_t i) { return cost.used[i] ? 1.0 : 0.0; };
  const double own = 2.0 + used(Attention::kQuery) + used(Attention::kKey) * (joint ? 2 : 1) + used(Attention::kValue);
  const double prefix = 2.0 + used(Attention::kQuery) + used(Attention::kPrefixKey) + used(Attention::kPrefixValue);
  const double position_key = 1.0 + used(Attention::kQuery) + used(Attention::kPositionKey);
  const double position_query = 1.0 + used(Attention::kKey) + used(Attention::kPositionQuery);
  return own * p.own + prefix * p.prefix + position_key * p.position_key + position_query * p.position_query + p.masks;
}

Value attention(const AttentionOperands& operands, const AttentionOptions& options) {
  const AttentionOperands& o = operands;
  std::vector<Value> inputs{o.q, o.k, o.v, o.bias_table, o.prefix_k, o.prefix_v, o.position_k, o.position_q, o.slots, o.kv_segment, o.context};
  if (options.dropout.rate != 0) inputs.push_back(o.dropout_key);
  while (!inputs.back()) inputs.pop_back();
  return o.q.graph->add(std::make_shared<Attention>(options), std::move(inputs));
}

}  // namespace preamble
