#include "models/bart/bart.h"

#include <cmath>

#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/linear.h"
#include "models/bart/attend.h"
#include "models/named_layers.h"
#include "models/tied_tables.h"

namespace preamble {
namespace {

constexpr std::string_view kHead = "lm_head.weight";
constexpr std::string_view kLogitsBias = "final_logits_bias";

}  // namespace

Bart::Bart(const BartConfig& config, Parameters parameters) : config_(config), parameters_(std::move(parameters)) {
  prefix_ = backbone_prefix(parameters_, "model.", "encoder.embed_positions.weight");
  embedding_name_ = first_present(parameters_, {prefix_ + "shared.weight", prefix_ + "encoder.embed_tokens.weight",
                                                prefix_ + "decoder.embed_tokens.weight", std::string(kHead)});
  head_name_ = embedding_name_;
}

std::unique_ptr<Bart> Bart::open(const std::filesystem::path& folder, Parameters::Options options) {
  const BartConfig config = BartConfig::read(JsonFile::open(folder / "config.json"));
  const auto source = checkpoint_source(folder);
  options.frozen = [given = options.frozen](std::string_view name) { return name == kLogitsBias || given(name); };
  auto model = std::make_unique<Bart>(config, Parameters(source, std::move(options)));
  if (has_own_head(*source, kHead, model->embedding_name_)) model->head_name_ = kHead;
  model->parameters_.tolerate(kHead);
  // transformers saves copies of the tied embedding under these names
  tolerate_copies(model->parameters_, *source, model->embedding_name_,
                  {model->prefix_ + "encoder.embed_tokens.weight", model->prefix_ + "decoder.embed_tokens.weight"});
  Graph graph = model->parameters_.graph();
  add_logits(*model, graph, {}, {}, false);
  model->parameters_.warn_of_unknown();
  return model;
}

AttentionShape Bart::attention_shape(Site site) const {
  const BartStack& stack = site == Site::encoder_self ? config_.encoder : config_.decoder;
  return {stack.layers, stack.heads, stack.heads, config_.head_dim(stack)};
}

Tensor Bart::embedding() { return parameters_.tensor(embedding_name_, {config_.vocab_size, config_.d_model}, ParameterKind::matrix); }

std::string Bart::block(std::string_view stack, std::int64_t layer) const { return fmt::format("{}{}.layers.{}", prefix_, stack, layer); }

Value Bart::project(Graph& graph, Value x, const std::string& name, std::int64_t to) {
  return biased_linear(parameters_, graph, x, name, to);
}

Value Bart::normed(Graph& graph, Value x, const std::string& name) {
  return named_norm(parameters_, graph, x, name, BartConfig::kLayerNormEpsilon);
}

Value Bart::embed(Graph& graph, Value ids) {
  const Value table = parameters_(graph, embedding_name_, {config_.vocab_size, config_.d_model}, ParameterKind::matrix);
  const Value x = gather_rows(table, ids, config_.pad_token_id);
  return config_.scale_embedding ? scale(x, std::sqrt(static_cast<double>(config_.d_model))) : x;
}

Value Bart::placed(Graph& graph, Value x, const std::string& stack, std::string_view positions) {
  const Dims dims = {config_.max_position_embeddings + BartConfig::kPositionOffset, config_.d_model};
  const Value table = parameters_(graph, prefix_ + stack + ".embed_positions.weight", dims, ParameterKind::matrix);
  const Value sum = add(x, gather_rows(table, row_input(graph, positions, x.type().rows)));
  return normed(graph, sum, prefix_ + stack + ".layernorm_embedding");
}

Value Bart::feed_forward(Graph& graph, Value x, const std::string& layer, std::int64_t inner, double dropout) {
  const Scope scope(graph, "feed_forward");
  const Value h = activation(project(graph, x, layer + ".fc1", inner), config_.activation);
  return normed(graph, add(x, dropped(graph, project(graph, h, layer + ".fc2"), dropout)), layer + ".final_layer_norm");
}

Value Bart::encode(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity) {
  const Scope scope(graph, "encoder");
  const RowSpaceId source = graph.rows(seq2seq::kSource, capacity.source_rows, capacity.sequences);
  Value x = embed(graph, row_input(graph, seq2seq::kSourceIds, source));
  x = with_prompt(graph, x, conditioning, {capacity.sequences, capacity.encoder_rows}, seq2seq::kPrompt);
  x = dropped(graph, placed(graph, x, "encoder", seq2seq::kEncoderPositions), conditioning.dropout.hidden);
  const Value slots =
      has_prefix(conditioning, Site::encoder_self) ? slots_input(graph, seq2seq::kEncoderSlots, capacity.sequences) : Value{};
  const AttentionOptions options = attention_options(config_, config_.encoder, false);
  for (std::int64_t layer = 0; layer < config_.encoder.layers; ++layer) {
    const Scope inner(graph, fmt::format("layers.{}", layer));
    {
      const Scope sublayer(graph, "self_attention");
      const std::string attend = block("encoder", layer) + ".self_attn";
      AttentionOperands operands;
      operands.q = project(graph, x, attend + ".q_proj");
      operands.k = project(graph, x, attend + ".k_proj");
      operands.v = project(graph, x, attend + ".v_proj");
      add_prefix(operands, conditioning.prefix(Site::encoder_self, layer), slots);
      const Value o = project(graph, dropped_attention(graph, operands, options, conditioning.dropout.attention), attend + ".out_proj");
      x = normed(graph, add(x, dropped(graph, o, conditioning.dropout.hidden)), attend + "_layer_norm");
    }
    x = feed_forward(graph, x, block("encoder", layer), config_.encoder.ffn_dim, conditioning.dropout.hidden);
  }
  return x;
}

Bart::KeyValue Bart::cross_rows(Graph& graph, Value encoded, std::int64_t layer) {
  const std::string attend = block("decoder", layer) + ".encoder_attn";
  return {project(graph, encoded, attend + ".k_proj"), project(graph, encoded, attend + ".v_proj")};
}

Value Bart::decoder_layers(Graph& graph, Value x, const Conditioning& conditioning, const Attend& attend, const CrossRows& cross,
                           const CrossInputs& inputs) {
  for (std::int64_t layer = 0; layer < config_.decoder.layers; ++layer) {
    const Scope inner(graph, fmt::format("layers.{}", layer));
    {
      const Scope sublayer(graph, "self_attention");
      const std::string self = block("decoder", layer) + ".self_attn";
      const Value q = project(graph, x, self + ".q_proj");
      const Value o = attend(layer, q, project(graph, x, self + ".k_proj"), project(graph, x, self + ".v_proj"));
      x = normed(graph, add(x, dropped(graph, project(graph, o, self + ".out_proj"), conditioning.dropout.hidden)), self + "_layer_norm");
    }
    {
      const Scope sublayer(graph, "cross_attention");
      const std::string other = block("decoder", layer) + ".encoder_attn";
      const KeyValue rows = cross(layer);
      AttentionOperands operands;
      operands.q = project(graph, x, other + ".q_proj");
      operands.k = rows.key;
      operands.v = rows.value;
      operands.kv_segment = inputs.source;
      add_prefix(operands, conditioning.prefix(Site::cross, layer), inputs.slots);
      const Value o =
          dropped_attention(graph, operands, attention_options(config_, config_.decoder, false), conditioning.dropout.attention);
      x = normed(graph, add(x, dropped(graph, project(graph, o, other + ".out_proj"), conditioning.dropout.hidden)), other + "_layer_norm");
    }
    x = feed_forward(graph, x, block("decoder", layer), config_.decoder.ffn_dim, conditioning.dropout.hidden);
  }
  return x;
}

Value Bart::decode(Graph& graph, Value encoded, const Conditioning& conditioning, const Seq2SeqCapacity& capacity) {
  const Scope scope(graph, "decoder");
  const RowSpaceId decoder = graph.rows(seq2seq::kDecoder, capacity.target_rows, capacity.target_segments());
  const Value placed_ids =
      placed(graph, embed(graph, row_input(graph, seq2seq::kDecoderIds, decoder)), "decoder", seq2seq::kDecoderPositions);
  const Value x = dropped(graph, placed_ids, conditioning.dropout.hidden);
  const bool prefixed = has_prefix(conditioning, Site::decoder_self) || has_prefix(conditioning, Site::cross);
  CrossInputs inputs;
  if (prefixed) inputs.slots = slots_input(graph, seq2seq::kDecoderSlots, capacity.target_segments());
  if (capacity.targets > 0) inputs.source = slots_input(graph, seq2seq::kTargetSource, capacity.targets);
  const Attend attend = [&](std::int64_t layer, Value q, Value k, Value v) {
    AttentionOperands operands{q, k, v};
    add_prefix(operands, conditioning.prefix(Site::decoder_self, layer), inputs.slots);
    return dropped_attention(graph, operands, attention_options(config_, config_.decoder, true), conditioning.dropout.attention);
  };
  return decoder_layers(
      graph, x, conditioning, attend, [&](std::int64_t layer) { return cross_rows(graph, encoded, layer); }, inputs);
}

Value Bart::logits_bias(Graph& graph) {
  if (const Value leaf = graph.leaf(kLogitsBias)) return leaf;
  if (!parameters_.contains(kLogitsBias)) return {};
  const Tensor bias = parameters_.tensor(kLogitsBias, {1, config_.vocab_size}, ParameterKind::vector);
  return graph.frozen(kLogitsBias, bias.reshaped({config_.vocab_size}));
}

Value Bart::head(Graph& graph, Value hidden) {
  const Value w = parameters_(graph, head_name_, {config_.vocab_size, config_.d_model}, ParameterKind::matrix);
  return linear(hidden, w, logits_bias(graph));
}

}  // namespace preamble
