#include "models/t5/t5.h"

#include <cmath>
#include <utility>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/linear.h"
#include "models/tied_tables.h"

namespace preamble {
namespace {

constexpr std::string_view kT5Head = "lm_head.weight";

StackShape shape_of(const T5Config& config, std::int64_t layers, bool decoder) {
  StackShape stack;
  stack.layers = layers;
  stack.width = config.d_model;
  stack.heads = stack.kv_heads = config.num_heads;
  stack.head_dim = config.d_kv;
  stack.inner = config.d_ff;
  stack.causal = stack.cross = decoder;
  stack.norm = NormKind::rms;
  stack.epsilon = config.layer_norm_epsilon;
  stack.query_bias = stack.output_bias = stack.inner_bias = false;
  stack.activation = config.activation;
  stack.gated = config.gated;
  stack.score_scale = 1;  // T5 has its scale in the initialisation of q
  stack.bias_tables = {.relative = {!decoder, static_cast<int>(config.relative_attention_max_distance)},
                       .buckets = config.relative_attention_num_buckets,
                       .in_each_layer = config.own_bias_tables};
  stack.drops_inner = stack.drops_output = true;
  return stack;
}

Seq2SeqShape shape_of(const T5Config& config) {
  return {shape_of(config, config.num_layers, false), shape_of(config, config.num_decoder_layers, true), config.vocab_size};
}

StackNames names_of(const T5Config& config, bool decoder) {
  const std::string stack = decoder ? "decoder" : "encoder";
  StackNames names;
  names.layers = stack + ".block.";
  names.scope = "block";
  names.self = {"layer.0.layer_norm", "layer.0.SelfAttention.q", "layer.0.SelfAttention.k", "layer.0.SelfAttention.v", "layer.0.SelfAttention.o"};
  names.cross = {"layer.1.layer_norm", "layer.1.EncDecAttention.q", "layer.1.EncDecAttention.k", "layer.1.EncDecAttention.v",
                 "layer.1.EncDecAttention.o"};
  names.bias_table = "layer.0.SelfAttention.relative_attention_bias";
  names.feed_forward_norm = decoder ? "layer.2.layer_norm" : "layer.1.layer_norm";
  if (config.gated) names.gate = decoder ? "layer.2.DenseReluDense.wi_0" : "layer.1.DenseReluDense.wi_0";
  if (config.gated) {
    names.inner = decoder ? "layer.2.DenseReluDense.wi_1" : "layer.1.DenseReluDense.wi_1";
  } else {
    names.inner = decoder ? "layer.2.DenseReluDense.wi" : "layer.1.DenseReluDense.wi";
  }
  names.output = decoder ? "layer.2.DenseReluDense.wo" : "layer.1.DenseReluDense.wo";
  names.last_norm = stack + ".final_layer_norm";
  return names;
}

std::string embedding_of(const T5Config& config, const Parameters& parameters) {
  const std::string name = first_present(parameters, {"shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"});
  // a file that keeps one name of tied tensors may keep the head's
  const bool head_alone = config.scale_decoder_outputs && parameters.contains(kT5Head) && !parameters.contains(name);
  return head_alone ? std::string(kT5Head) : name;
}

}  // namespace

T5::T5(const T5Config& config, Parameters parameters)
    : Seq2SeqStack(shape_of(config), names_of(config, false), names_of(config, true), embedding_of(config, parameters), std::move(parameters)),
      config_(config),
      tied_(embedding_name_ == kT5Head || !Seq2SeqStack::parameters().contains(kT5Head)) {}

std::unique_ptr<T5> T5::open(const std::filesystem::path& folder, Parameters::Options options) {
  const T5Config config = T5Config::read(JsonFile::open(folder / "config.json"));
  const auto source = checkpoint_source(folder);
  auto model = std::make_unique<T5>(config, Parameters(source, std::move(options)));
  Parameters& parameters = model->parameters();
  // transformers saves copies of the tied embedding under these names; a head that equals it is tied
  tolerate_copies(parameters, *source, model->embedding_name_, {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"});
  // present in the checkpoints of the original T5, read by nobody
  parameters.tolerate("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight");
  if (!model->tied_ && !has_own_head(*source, kT5Head, model->embedding_name_)) {
    model->tied_ = true;
    parameters.tolerate(kT5Head);
  }
  Graph graph = parameters.graph();
  add_logits(*model, graph, {}, {}, false);
  parameters.warn_of_unknown();
  return model;
}

Value T5::embed(Graph& graph, Value ids) { return gather_rows(table(graph, embedding_name_), ids); }

Value T5::head(Graph& graph, Value hidden) {
  if (config_.scale_decoder_outputs) hidden = scale(hidden, 1 / std::sqrt(static_cast<double>(config_.d_model)));
  return linear(hidden, table(graph, tied_ ? std::string_view(embedding_name_) : kT5Head));
}

}  // namespace preamble
