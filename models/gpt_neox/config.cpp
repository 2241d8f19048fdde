#include "models/gpt_neox/config.h"

#include <string>

#include "models/config_fields.h"

namespace preamble {

GptNeoxConfig GptNeoxConfig::read(const JsonFile& json) {
  GptNeoxConfig c;
  c.vocab_size = positive_field(json, "vocab_size", c.vocab_size);
  c.hidden_size = positive_field(json, "hidden_size", c.hidden_size);
  c.intermediate_size = positive_field(json, "intermediate_size", c.intermediate_size);
  c.num_hidden_layers = positive_field(json, "num_hidden_layers", c.num_hidden_layers);
  c.num_attention_heads = positive_field(json, "num_attention_heads", c.num_attention_heads);
  require_multiple(json, "hidden_size", c.hidden_size, "num_attention_heads", c.num_attention_heads);
  c.layer_norm_eps = epsilon_field(json, "layer_norm_eps", c.layer_norm_eps);
  c.activation = activation_named(json, json.get<std::string>("hidden_act", "gelu"));
  c.rotary = read_rotary(json, c.head_dim(), positive_field(json, "max_position_embeddings", 2048), {.theta = 10000, .part = 0.25});
  c.parallel_residual = json.get<bool>("use_parallel_residual", true);
  c.attention_bias = json.get<bool>("attention_bias", true);
  c.tied = json.get<bool>("tie_word_embeddings", false);
  return c;
}

}  // namespace preamble
