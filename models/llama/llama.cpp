#include "models/llama/llama.h"

#include <array>
#include <cmath>
#include <utility>

#include "data/json_file.h"
#include "models/named_layers.h"

namespace preamble {
namespace {

CausalShape shape_of(const LlamaConfig& config) {
  CausalShape shape;
  shape.vocabulary = config.vocab_size;
  shape.padding = config.pad_token_id;
  shape.positions = config.rotary.longest;
  shape.tied = config.tied;
  if (config.gemma) shape.token_scale = std::sqrt(static_cast<double>(config.hidden_size));
  StackShape& stack = shape.stack;
  stack.layers = config.num_hidden_layers;
  stack.width = config.hidden_size;
  stack.heads = config.num_attention_heads;
  stack.kv_heads = config.num_key_value_heads;
  stack.head_dim = config.head_dim;
  stack.inner = config.intermediate_size;
  stack.norm = NormKind::rms;
  stack.epsilon = config.rms_norm_eps;
  stack.norms_add_one = config.gemma;
  stack.head_norms = config.head_norms;
  stack.query_bias = config.query_bias;
  stack.output_bias = config.output_bias;
  stack.inner_bias = config.mlp_bias;
  stack.activation = config.activation;
  stack.gated = true;
  stack.score_scale = 1 / std::sqrt(static_cast<double>(config.head_dim));
  stack.rotary = config.rotary.options;
  stack.windows = config.windows;
  return shape;
}

CausalNames names_of(const Parameters& parameters) {
  const std::string prefix = backbone_prefix(parameters, "model.", "embed_tokens.weight");
  CausalNames names;
  names.stack.layers = prefix + "layers.";
  names.stack.scope = "layers";
  names.stack.self = {.norm = "input_layernorm",
                      .query = "self_attn.q_proj",
                      .key = "self_attn.k_proj",
                      .value = "self_attn.v_proj",
                      .output = "self_attn.o_proj",
                      .query_norm = "self_attn.q_norm",
                      .key_norm = "self_attn.k_norm"};
  names.stack.feed_forward_norm = "post_attention_layernorm";
  names.stack.gate = "mlp.gate_proj";
  names.stack.inner = "mlp.up_proj";
  names.stack.output = "mlp.down_proj";
  names.stack.last_norm = prefix + "norm";
  names.embedding = prefix + "embed_tokens.weight";
  names.head = "lm_head.weight";
  return names;
}

}  // namespace

Llama::Llama(const LlamaConfig& config, Parameters parameters)
    : CausalStack(shape_of(config), names_of(parameters), std::move(parameters)), config_(config) {}

std::unique_ptr<Llama> Llama::open(const std::filesystem::path& folder, Parameters::Options options) {
  const LlamaConfig config = LlamaConfig::read(JsonFile::open(folder / "config.json"));
  const auto source = checkpoint_source(folder);
  auto model = std::make_unique<Llama>(config, Parameters(source, std::move(options)));
  // frequencies that early versions saved
  constexpr std::array<std::string_view, 1> kBuffers = {".rotary_emb.inv_freq"};
  model->load(*source, kBuffers);
  return model;
}

}  // namespace preamble
