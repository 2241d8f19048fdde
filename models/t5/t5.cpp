#include "models/t5/t5.h"

#include <cmath>
#include <utility>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "engine/ops/attention.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/linear.h"
#include "engine/ops/norm.h"
#include "models/t5/attend.h"
#include "models/tied_tables.h"

namespace preamble {
namespace {

constexpr std::string_view kT5Head = "lm_head.weight";

}  // namespace

T5::T5(const T5Config& config, Parameters parameters) : config_(config), parameters_(std::move(parameters)) {
  tied_ = !parameters_.contains(kT5Head);
  embedding_name_ = first_present(parameters_, {"shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"});
  // a file that keeps one name of tied tensors may keep the head's
  if (config_.scale_decoder_outputs && !tied_ && !parameters_.contains(embedding_name_)) {
    embedding_name_ = kT5Head;
    tied_ = true;
  }
}

std::unique_ptr<T5> T5::open(const std::filesystem::path& folder, Parameters::Options options) {
  const T5Config config = T5Config::read(JsonFile::open(folder / "config.json"));
  const auto source = checkpoint_source(folder);
  auto model = std::make_unique<T5>(config, Parameters(source, std::move(options)));
  // transformers saves copies of the tied embedding under these names; a head that equals it is tied
  tolerate_copies(model->parameters_, *source, model->embedding_name_, {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"});
  // present in the checkpoints of the original T5, read by nobody
  model->parameters_.tolerate("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight");
  if (!model->tied_ && !has_own_head(*source, kT5Head, model->embedding_name_)) {
    model->tied_ = true;
    model->parameters_.tolerate(kT5Head);
  }
  Graph graph = model->parameters_.graph();
  add_logits(*model, graph, {}, {}, false);
  model->parameters_.warn_of_unknown();
  return model;
}

AttentionShape T5::attention_shape(Site site) const {
  const std::int64_t layers = site == Site::encoder_self ? config_.num_layers : config_.num_decoder_layers;
  return {layers, config_.num_heads, config_.num_heads, config_.d_kv};
}

Tensor T5::embedding() { return parameters_.tensor(embedding_name_, {config_.vocab_size, config_.d_model}, ParameterKind::matrix); }

std::string T5::block(std::string_view stack, std::int64_t layer) { return fmt::format("{}.block.{}", stack, layer); }

Value T5::matrix(Graph& graph, const std::string& name, std::int64_t rows, std::int64_t columns) {
  return parameters_(graph, name + ".weight", {rows, columns}, ParameterKind::matrix);
}

Value T5::project(Graph& graph, Value x, const std::string& name, std::int64_t to) {
  return linear(x, matrix(graph, name, to, x.type().width()));
}

Value T5::normed(Graph& graph, Value x, const std::string& name) {
  return rms_norm(x, parameters_(graph, name + ".weight", {config_.d_model}, ParameterKind::vector), config_.layer_norm_epsilon);
}

Value T5::bias_table(Graph& graph, std::string_view stack, std::int64_t layer) {
  return parameters_(graph, block(stack, config_.own_bias_tables ? layer : 0) + ".layer.0.SelfAttention.relative_attention_bias.weight",
                     {config_.relative_attention_num_buckets, config_.num_heads}, ParameterKind::vector);
}

Value T5::embed(Graph& graph, Value ids) {
  return gather_rows(parameters_(graph, embedding_name_, {config_.vocab_size, config_.d_model}, ParameterKind::matrix), ids);
}

Value T5::feed_forward(Graph& graph, Value x, const std::string& sublayer, double dropout) {
  const Scope scope(graph, "feed_forward");
  const std::string dense = sublayer + ".DenseReluDense";
  const Value h = normed(graph, x, sublayer + ".layer_norm");
  Value inner;
  if (config_.gated) {
    const Value gate = project(graph, h, dense + ".wi_0", config_.d_ff);
    inner = multiply(activation(gate, config_.activation), project(graph, h, dense + ".wi_1", config_.d_ff));
  } else {
    inner = activation(project(graph, h, dense + ".wi", config_.d_ff), config_.activation);
  }
  const Value y = project(graph, dropped(graph, inner, dropout), dense + ".wo", config_.d_model);
  return add(x, dropped(graph, y, dropout));
}

Value T5::self_attention(Graph& graph, Value x, Site site, std::int64_t layer, const AttentionOptions& options,
                         const Conditioning& conditioning, Value slots) {
  const Scope scope(graph, "self_attention");
  const std::string_view stack = site == Site::encoder_self ? "encoder" : "decoder";
  const std::string attend = block(stack, layer) + ".layer.0.SelfAttention";
  const Value h = normed(graph, x, block(stack, layer) + ".layer.0.layer_norm");
  AttentionOperands operands;
  operands.q = project(graph, h, attend + ".q", config_.inner());
  operands.k = project(graph, h, attend + ".k", config_.inner());
  operands.v = project(graph, h, attend + ".v", config_.inner());
  operands.bias_table = bias_table(graph, stack, layer);
  add_prefix(operands, conditioning.prefix(site, layer), slots);
  const Value o = dropped_attention(graph, operands, options, conditioning.dropout.attention);
  return add(x, dropped(graph, project(graph, o, attend + ".o", config_.d_model), conditioning.dropout.hidden));
}

Value T5::cross_attention(Graph& graph, Value x, Value key, Value value, const Conditioning& conditioning, std::int64_t layer, Value slots,
                          Value source) {
  const std::string attend = block("decoder", layer) + ".layer.1.EncDecAttention";
  AttentionOperands operands;
  operands.q = project(graph, normed(graph, x, block("decoder", layer) + ".layer.1.layer_norm"), attend + ".q", config_.inner());
  operands.k = key;
  operands.v = value;
  operands.kv_segment = source;
  add_prefix(operands, conditioning.prefix(Site::cross, layer), slots);
  const Value o = dropped_attention(graph, operands, attention_options(config_, true, {}), conditioning.dropout.attention);
  return add(x, dropped(graph, project(graph, o, attend + ".o", config_.d_model), conditioning.dropout.hidden));
}

Value T5::encode(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity) {
  const Scope scope(graph, "encoder");
  const RowSpaceId source = graph.rows(seq2seq::kSource, capacity.source_rows, capacity.sequences);
  Value x = embed(graph, input(graph, seq2seq::kSourceIds, {Dtype::i32, source, {}}));
  x = dropped(graph, with_prompt(graph, x, conditioning, {capacity.sequences, capacity.encoder_rows}, seq2seq::kPrompt), conditioning.dropout.hidden);
  const Value slots = has_prefix(conditioning, Site::encoder_self) ? slots_input(graph, seq2seq::kEncoderSlots, capacity.sequences) : Value{};
  // PEFT has no prefix here: the relative positions of a prefix are an affair of the decoder
  const AttentionOptions options = attention_options(config_, true, {});
  for (std::int64_t layer = 0; layer < config_.num_layers; ++layer) {
    const Scope inner(graph, fmt::format("block.{}", layer));
    x = self_attention(graph, x, Site::encoder_self, layer, options, conditioning, slots);
    x = feed_forward(graph, x, block("encoder", layer) + ".layer.1", conditioning.dropout.hidden);
  }
  return dropped(graph, normed(graph, x, "encoder.final_layer_norm"), conditioning.dropout.hidden);
}

Value T5::decode(Graph& graph, Value encoded, const Conditioning& conditioning, const Seq2SeqCapacity& capacity) {
  const Scope scope(graph, "decoder");
  const RowSpaceId decoder = graph.rows(seq2seq::kDecoder, capacity.target_rows, capacity.target_segments());
  Value x = dropped(graph, embed(graph, input(graph, seq2seq::kDecoderIds, {Dtype::i32, decoder, {}})), conditioning.dropout.hidden);
  const bool prefixed = has_prefix(conditioning, Site::decoder_self) || has_prefix(conditioning, Site::cross);
  const Value slots = prefixed ? slots_input(graph, seq2seq::kDecoderSlots, capacity.target_segments()) : Value{};
  const Value source = capacity.targets > 0 ? slots_input(graph, seq2seq::kTargetSource, capacity.targets) : Value{};
  AttentionOptions options = attention_options(config_, false, conditioning);
  options.causal = true;
  for (std::int64_t layer = 0; layer < config_.num_decoder_layers; ++layer) {
    const Scope inner(graph, fmt::format("block.{}", layer));
    x = self_attention(graph, x, Site::decoder_self, layer, options, conditioning, slots);
    {
      const Scope sublayer(graph, "cross_attention");
      const std::string cross = block("decoder", layer) + ".layer.1.EncDecAttention";
      const Value key = project(graph, encoded, cross + ".k", config_.inner());
      const Value value = project(graph, encoded, cross + ".v", config_.inner());
      x = cross_attention(graph, x, key, value, conditioning, layer, slots, source);
    }
    x = feed_forward(graph, x, block("decoder", layer) + ".layer.2", conditioning.dropout.hidden);
  }
  return dropped(graph, normed(graph, x, "decoder.final_layer_norm"), conditioning.dropout.hidden);
}

Value T5::head(Graph& graph, Value hidden) {
  if (config_.scale_decoder_outputs) hidden = scale(hidden, 1 / std::sqrt(static_cast<double>(config_.d_model)));
  const std::string_view table = tied_ ? std::string_view(embedding_name_) : kT5Head;
  return linear(hidden, parameters_(graph, table, {config_.vocab_size, config_.d_model}, ParameterKind::matrix));
}

}  // namespace preamble
