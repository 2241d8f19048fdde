#include "models/layer_stack.h"

#include <utility>
#include <vector>

#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/rotary.h"
#include "engine/ops/split_columns.h"
#include "models/building.h"
#include "models/named_layers.h"
#include "models/position_counts.h"

namespace preamble {

LayerStack::LayerStack(const StackShape& shape, StackNames names, Parameters& parameters)
    : shape_(shape), names_(std::move(names)), parameters_(parameters) {}

std::string LayerStack::name(std::int64_t layer, std::string_view part) const { return fmt::format("{}{}.{}", names_.layers, layer, part); }

Value LayerStack::map(Graph& graph, Value x, const std::string& weights, std::int64_t to, bool bias) {
  return named_map(parameters_, graph, x, weights, {.to = to, .bias = bias, .layout = shape_.weights});
}

Value LayerStack::normed(Graph& graph, Value x, const std::string& weights) {
  if (shape_.norm == NormKind::layer) return named_norm(parameters_, graph, x, weights, shape_.epsilon);
  return rms_norm(x, norm_scale(graph, weights, x.type().width()), shape_.epsilon);
}

Value LayerStack::norm_scale(Graph& graph, const std::string& weights, std::int64_t width) {
  const Value w = parameters_(graph, weights + ".weight", {width}, ParameterKind::vector);
  if (!shape_.norms_add_one) return w;
  const std::string name = fmt::format("ones.{}", width);
  Value ones = graph.leaf(name);
  if (!ones) {
    Tensor tensor(graph.statistic(), {width});
    const std::vector<float> numbers(static_cast<std::size_t>(width), 1.0F);
    convert(numbers.data(), Dtype::f32, tensor.data(), tensor.dtype(), width);
    ones = graph.frozen(name, std::move(tensor));
  }
  return add(ones, w);
}

Value LayerStack::sublayer(Graph& graph, Value x, const std::string& norm, double dropout, const Function& f) {
  const bool before = shape_.norm_order == NormOrder::before;
  const Value y = add(x, dropped(graph, f(before ? normed(graph, x, norm) : x), dropout));
  return before ? y : normed(graph, y, norm);
}

std::array<Value, 3> LayerStack::queries(Graph& graph, Value x, std::int64_t layer) {
  const std::int64_t q_width = shape_.query_width();
  const std::int64_t kv_width = shape_.kv_width();
  const auto made = [&](std::string_view part, std::int64_t to) { return map(graph, x, name(layer, part), to, shape_.query_bias); };
  if (shape_.query_maps != QueryMaps::separate) {
    const Value all = made(names_.self.query, q_width + 2 * kv_width);
    const std::int64_t dim = shape_.head_dim;
    const auto parts = shape_.query_maps == QueryMaps::by_head ? split_columns(all, {dim, dim, dim}, shape_.heads)
                                                               : split_columns(all, {q_width, kv_width, kv_width});
    return {parts[0], parts[1], parts[2]};
  }
  Value v;
  const Value q = made(names_.self.query, q_width);
  if (shape_.values_first) v = made(names_.self.value, kv_width);
  const Value k = made(names_.self.key, kv_width);
  if (!shape_.values_first) v = made(names_.self.value, kv_width);
  return {q, k, v};
}

Value LayerStack::in_place(Graph& graph, Value heads, std::int64_t count, const std::string& norm, Value angles) {
  if (shape_.head_norms) heads = rms_norm_of_parts(heads, norm_scale(graph, norm, shape_.head_dim), shape_.epsilon, count);
  return angles ? rotary(heads, angles, count) : heads;
}

Value LayerStack::attended(Graph& graph, Value h, std::int64_t layer, const Attend& attend, Value angles) {
  const auto [q, k, v] = queries(graph, h, layer);
  const Value placed_q = in_place(graph, q, shape_.heads, name(layer, names_.self.query_norm), angles);
  const Value placed_k = in_place(graph, k, shape_.kv_heads, name(layer, names_.self.key_norm), angles);
  return map(graph, attend(layer, placed_q, placed_k, v), name(layer, names_.self.output), shape_.width, shape_.output_bias);
}

Value LayerStack::self_attention(Graph& graph, Value x, std::int64_t layer, double dropout, const Attend& attend, Value angles) {
  const Scope scope(graph, "self_attention");
  return sublayer(graph, x, name(layer, names_.self.norm), dropout, [&](Value h) { return attended(graph, h, layer, attend, angles); });
}

Value LayerStack::cross_key(Graph& graph, Value rows, std::int64_t layer) {
  return map(graph, rows, name(layer, names_.cross.key), shape_.query_width(), shape_.query_bias);
}

Value LayerStack::cross_value(Graph& graph, Value rows, std::int64_t layer) {
  return map(graph, rows, name(layer, names_.cross.value), shape_.query_width(), shape_.query_bias);
}

Value LayerStack::cross_attention(Graph& graph, Value x, std::int64_t layer, const Conditioning& conditioning, const CrossAttention& cross) {
  const Scope scope(graph, "cross_attention");
  const KeyValue rows = cross.rows(layer);
  return sublayer(graph, x, name(layer, names_.cross.norm), conditioning.dropout.hidden, [&](Value h) {
    AttentionOperands operands;
    operands.q = map(graph, h, name(layer, names_.cross.query), shape_.query_width(), shape_.query_bias);
    operands.k = rows.key;
    operands.v = rows.value;
    operands.kv_segment = cross.source;
    add_prefix(operands, conditioning.prefix(Site::cross, layer), cross.slots);
    AttentionOptions of_cross = options(layer);
    of_cross.kv_heads = of_cross.heads;
    const Value o = dropped_attention(graph, operands, of_cross, conditioning.dropout.attention);
    return map(graph, o, name(layer, names_.cross.output), shape_.width, shape_.output_bias);
  });
}

Value LayerStack::fed_forward(Graph& graph, Value h, std::int64_t layer, double dropout) {
  const auto made = [&](std::string_view part) { return map(graph, h, name(layer, part), shape_.inner, shape_.inner_bias); };
  Value inner;
  if (shape_.gated) {
    const Value gate = made(names_.gate);
    const Value up = made(names_.inner);
    inner = multiply(activation(gate, shape_.activation), up);
  } else {
    inner = activation(made(names_.inner), shape_.activation);
  }
  if (shape_.drops_inner) inner = dropped(graph, inner, dropout);
  return map(graph, inner, name(layer, names_.output), shape_.width, shape_.inner_bias);
}

Value LayerStack::feed_forward(Graph& graph, Value x, std::int64_t layer, double dropout) {
  const Scope scope(graph, "feed_forward");
  return sublayer(graph, x, name(layer, names_.feed_forward_norm), dropout, [&](Value h) { return fed_forward(graph, h, layer, dropout); });
}

Value LayerStack::parallel_layer(Graph& graph, Value x, std::int64_t layer, double dropout, const Attend& attend, Value angles) {
  Value sum;
  {
    const Scope scope(graph, "self_attention");
    const Value h = normed(graph, x, name(layer, names_.self.norm));
    sum = add(x, dropped(graph, attended(graph, h, layer, attend, angles), dropout));
  }
  const Scope scope(graph, "feed_forward");
  const Value h = normed(graph, x, name(layer, names_.feed_forward_norm));
  return add(sum, dropped(graph, fed_forward(graph, h, layer, dropout), dropout));
}

Value LayerStack::angles(Graph& graph, RowSpaceId rows, std::string_view positions) {
  const RotaryOptions& options = *shape_.rotary;
  const Value places = row_input(graph, positions, rows);
  std::vector<double> frequencies = rotary_frequencies(options);
  if (options.scaling != RotaryScaling::dynamic) return rotary_angles(places, std::move(frequencies), options.attention_factor);
  const Value counts = row_input(graph, counts_of(positions), rows);
  return rotary_angles(places, counts, std::move(frequencies), options.attention_factor, {options.factor, options.original_length});
}

Value LayerStack::run(Graph& graph, Value x, const Conditioning& conditioning, const Attend& attend, const CrossAttention& cross,
                      std::string_view positions) {
  const double dropout = conditioning.dropout.hidden;
  Value angles;
  if (shape_.rotary) angles = this->angles(graph, x.type().rows, positions);
  for (std::int64_t layer = 0; layer < shape_.layers; ++layer) {
    const Scope scope(graph, fmt::format("{}.{}", names_.scope, layer));
    if (shape_.parallel) {
      x = parallel_layer(graph, x, layer, dropout, attend, angles);
      continue;
    }
    x = self_attention(graph, x, layer, dropout, attend, angles);
    if (shape_.cross) x = cross_attention(graph, x, layer, conditioning, cross);
    x = feed_forward(graph, x, layer, dropout);
  }
  if (!names_.last_norm.empty()) x = normed(graph, x, names_.last_norm);
  return shape_.drops_output ? dropped(graph, x, dropout) : x;
}

AttentionOptions LayerStack::options(std::int64_t layer) const {
  AttentionOptions options;
  options.heads = static_cast<int>(shape_.heads);
  options.kv_heads = static_cast<int>(shape_.kv_heads);
  options.scale = shape_.score_scale;
  if (shape_.score_scale_by_layer) options.scale /= static_cast<double>(layer + 1);
  return options;
}

AttentionOptions LayerStack::self_options(std::int64_t layer, const Conditioning& conditioning) const {
  AttentionOptions of_self = options(layer);
  of_self.causal = shape_.causal;
  if (!shape_.windows.empty()) of_self.window = shape_.windows.at(static_cast<std::size_t>(layer));
  if (shape_.bias_tables) {
    of_self.relative = shape_.bias_tables->relative;
    // PEFT has no prefix in an encoder: the relative positions of a prefix are an affair of the decoder
    of_self.prefix_has_positions = shape_.causal && conditioning.prefix_has_relative_positions;
  }
  return of_self;
}

Value LayerStack::bias_table(Graph& graph, std::int64_t layer) {
  if (!shape_.bias_tables) return {};
  return parameters_(graph, name(shape_.bias_tables->in_each_layer ? layer : 0, names_.bias_table) + ".weight",
                     {shape_.bias_tables->buckets, shape_.heads}, ParameterKind::vector);
}

Value LayerStack::attend(Graph& graph, std::int64_t layer, AttentionOperands operands, const Conditioning& conditioning) {
  operands.bias_table = bias_table(graph, layer);
  return dropped_attention(graph, operands, self_options(layer, conditioning), conditioning.dropout.attention);
}

Attend LayerStack::attend_to_own(Graph& graph, const Conditioning& conditioning, Site site, Value slots) {
  return [this, &graph, &conditioning, site, slots](std::int64_t layer, Value q, Value k, Value v) {
    AttentionOperands operands{q, k, v};
    add_prefix(operands, conditioning.prefix(site, layer), slots);
    return attend(graph, layer, operands, conditioning);
  };
}

Value LayerStack::attend_to_cache(Graph& graph, std::int64_t layer, Value q, const KeyValue& cache, const StepInputs& inputs,
                                  const Conditioning& conditioning) {
  CachedAttentionOperands operands;
  operands.q = q;
  operands.cache_k = cache.key;
  operands.cache_v = cache.value;
  operands.table = inputs.table;
  operands.lengths = inputs.lengths;
  operands.bias_table = bias_table(graph, layer);
  add_prefix(operands, conditioning.prefix(Site::decoder_self, layer), inputs.slots);
  return cached_attention(operands, self_options(layer, conditioning));
}

}  // namespace preamble
