#include "models/encoder_stack.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "models/building.h"
#include "models/named_layers.h"
#include "models/tied_tables.h"

namespace preamble {
namespace {

constexpr std::string_view kWords = "embeddings.word_embeddings.weight";

std::string weight_of(std::string_view map) { return fmt::format("{}.weight", map); }

}  // namespace

EncoderStack::EncoderStack(const EncoderSizes& shape, const EncoderNames& names, Parameters parameters)
    : shape_(shape), names_(names), parameters_(std::move(parameters)) {
  prefix_ = backbone_prefix(parameters_, std::string(names_.family), std::string(kWords));
  embedding_name_ = name(kWords);
  decoder_name_ = embedding_name_;
}

void EncoderStack::load(const ParameterSource& source, std::span<const std::string_view> beside) {
  const std::string decoder = weight_of(mlm_head_of().decoder);
  if (has_own_head(source, decoder, embedding_name_)) decoder_name_ = decoder;
  // a file that keeps one name of tied tensors may keep the decoder's
  if (!source.contains(embedding_name_) && source.contains(decoder)) embedding_name_ = decoder;
  for (const auto& whole : source.names()) {
    const std::string_view inside = std::string_view(whole).substr(whole.starts_with(prefix_) ? prefix_.size() : 0);
    if (std::ranges::any_of(beside, [&](std::string_view beginning) { return inside.starts_with(beginning); })) parameters_.tolerate(whole);
  }
  Graph graph = parameters_.graph();
  (void)encode(graph, {}, {});
  parameters_.warn_of_unknown();
}

AttentionShape EncoderStack::attention_shape(Site site) const {
  require<UnsupportedError>(site == Site::encoder_self, "encoder: a site of a decoder was given; wanted encoder_self");
  return {shape_.num_hidden_layers, shape_.num_attention_heads, shape_.num_attention_heads, shape_.head_dim()};
}

Tensor EncoderStack::embedding() {
  return parameters_.tensor(embedding_name_, {shape_.vocab_size, shape_.embedding_size}, ParameterKind::matrix);
}

Value EncoderStack::shared_positions(Graph&) { return {}; }

void EncoderStack::complete_attention(Graph&, AttentionOperands&, AttentionOptions&, Value, const std::string&, double) {}

bool EncoderStack::has_map(std::string_view map) const { return parameters_.contains(weight_of(map)); }

Value EncoderStack::project(Graph& graph, Value x, const std::string& weights, std::int64_t to) {
  return biased_linear(parameters_, graph, x, weights, to);
}

Value EncoderStack::normed(Graph& graph, Value x, const std::string& weights) {
  return named_norm(parameters_, graph, x, weights, shape_.layer_norm_eps);
}

Value EncoderStack::embedded_tokens(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  const Value ids = row_input(graph, encoder::kIds, graph.rows(encoder::kTokens, capacity.tokens, capacity.sequences));
  const Value words = parameters_(graph, embedding_name_, {shape_.vocab_size, shape_.embedding_size}, ParameterKind::matrix);
  return with_prompt(graph, gather_rows(words, ids, shape_.pad_token_id), conditioning, {capacity.sequences, capacity.rows}, encoder::kPrompt);
}

Value EncoderStack::with_table(Graph& graph, Value x, std::string_view table, std::int64_t size, std::string_view index, std::int64_t padding) {
  const Value rows = parameters_(graph, name(fmt::format("embeddings.{}.weight", table)), {size, shape_.embedding_size}, ParameterKind::matrix);
  return add(x, gather_rows(rows, row_input(graph, index, x.type().rows), padding));
}

Value EncoderStack::attend(Graph& graph, Value x, Value positions, const Conditioning& conditioning, std::int64_t layer, Value slots) {
  const Scope scope(graph, "attention");
  const std::string inside = name(fmt::format("{}{}.", names_.layers, layer));
  const auto part = [&](std::string_view what) { return inside + std::string(what); };
  AttentionOptions options;
  options.heads = options.kv_heads = static_cast<int>(shape_.num_attention_heads);
  options.scale = 1 / std::sqrt(static_cast<double>(shape_.head_dim()));
  AttentionOperands operands;
  operands.q = project(graph, x, part(names_.query));
  operands.k = project(graph, x, part(names_.key));
  operands.v = project(graph, x, part(names_.value));
  complete_attention(graph, operands, options, positions, inside, conditioning.dropout.hidden);
  add_prefix(operands, conditioning.prefix(Site::encoder_self, layer), slots);
  const Value read = dropped_attention(graph, operands, options, conditioning.dropout.attention);
  const Value o = project(graph, read, part(names_.attention_output));
  return normed(graph, add(x, dropped(graph, o, conditioning.dropout.hidden)), part(names_.attention_norm));
}

Value EncoderStack::feed_forward(Graph& graph, Value x, const std::string& layer, double dropout) {
  const Scope scope(graph, "feed_forward");
  const auto part = [&](std::string_view what) { return layer + std::string(what); };
  const Value h = activation(project(graph, x, part(names_.inner), shape_.intermediate_size), shape_.activation);
  const Value y = project(graph, h, part(names_.output));
  return normed(graph, add(x, dropped(graph, y, dropout)), part(names_.output_norm));
}

Value EncoderStack::encode(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  Value x = embed(graph, conditioning, capacity);
  const Value positions = shared_positions(graph);
  const Value slots = has_prefix(conditioning, Site::encoder_self) ? slots_input(graph, encoder::kSlots, capacity.sequences) : Value{};
  for (std::int64_t layer = 0; layer < shape_.num_hidden_layers; ++layer) {
    const Scope scope(graph, fmt::format("layer.{}", layer));
    x = attend(graph, x, positions, conditioning, layer, slots);
    x = feed_forward(graph, x, name(fmt::format("{}{}.", names_.layers, layer)), conditioning.dropout.hidden);
  }
  return x;
}

Value EncoderStack::mlm_logits(Graph& graph, Value hidden, std::span<const std::int32_t> words) {
  const MlmHead head = mlm_head_of();
  const Value h = activation(project(graph, hidden, std::string(head.dense), shape_.embedding_size), head.activation);
  const Value x = normed(graph, h, std::string(head.norm));
  const Value w = parameters_(graph, decoder_name_, {shape_.vocab_size, shape_.embedding_size}, ParameterKind::matrix);
  // the bias is tied as well; some checkpoints have it under the decoder's name alone
  std::string bias(head.bias);
  if (!parameters_.contains(bias)) bias = fmt::format("{}.bias", head.decoder);
  return word_logits(x, w, parameters_(graph, bias, {shape_.vocab_size}, ParameterKind::vector), words);
}

}  // namespace preamble
