#include "models/gpt_neox/gpt_neox.h"

#include <array>
#include <cmath>
#include <utility>

#include "data/json_file.h"
#include "models/named_layers.h"
#include "models/tied_tables.h"

namespace preamble {
namespace {

CausalShape shape_of(const GptNeoxConfig& config) {
  CausalShape shape;
  shape.vocabulary = config.vocab_size;
  shape.positions = config.rotary.longest;
  shape.tied = config.tied;
  StackShape& stack = shape.stack;
  stack.layers = config.num_hidden_layers;
  stack.width = config.hidden_size;
  stack.heads = stack.kv_heads = config.num_attention_heads;
  stack.head_dim = config.head_dim();
  stack.inner = config.intermediate_size;
  stack.epsilon = config.layer_norm_eps;
  stack.parallel = config.parallel_residual;
  stack.query_maps = QueryMaps::by_head;
  stack.query_bias = stack.output_bias = config.attention_bias;
  stack.activation = config.activation;
  stack.score_scale = 1 / std::sqrt(static_cast<double>(config.head_dim()));
  stack.rotary = config.rotary.options;
  return shape;
}

CausalNames names_of(const Parameters& parameters) {
  const std::string prefix = backbone_prefix(parameters, "gpt_neox.", "embed_in.weight");
  CausalNames names;
  names.stack.layers = prefix + "layers.";
  names.stack.scope = "layers";
  names.stack.self = {.norm = "input_layernorm", .query = "attention.query_key_value", .key = {}, .value = {}, .output = "attention.dense"};
  names.stack.feed_forward_norm = "post_attention_layernorm";
  names.stack.inner = "mlp.dense_h_to_4h";
  names.stack.output = "mlp.dense_4h_to_h";
  names.stack.last_norm = prefix + "final_layer_norm";
  names.embedding = prefix + "embed_in.weight";
  // as today's transformers call it when they save
  names.head = first_present(parameters, {"embed_out.weight", "lm_head.weight"});
  names.token_head = "classifier";
  return names;
}

}  // namespace

GptNeox::GptNeox(const GptNeoxConfig& config, Parameters parameters)
    : CausalStack(shape_of(config), names_of(parameters), std::move(parameters)) {}

std::unique_ptr<GptNeox> GptNeox::open(const std::filesystem::path& folder, Parameters::Options options) {
  const GptNeoxConfig config = GptNeoxConfig::read(JsonFile::open(folder / "config.json"));
  const auto source = checkpoint_source(folder);
  auto model = std::make_unique<GptNeox>(config, Parameters(source, std::move(options)));
  // frequencies and causal masks that early versions saved
  constexpr std::array<std::string_view, 3> kBuffers = {".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias"};
  model->load(*source, kBuffers);
  return model;
}

}  // namespace preamble
