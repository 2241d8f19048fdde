#include "models/bart/config.h"

#include <string>

#include "engine/core/error.h"
#include "models/config_fields.h"

namespace preamble {
namespace {

BartStack read_stack(const JsonFile& json, const std::string& name, std::int64_t d_model) {
  BartStack stack;
  stack.layers = positive_field(json, name + "_layers", stack.layers);
  stack.heads = positive_field(json, name + "_attention_heads", stack.heads);
  stack.ffn_dim = positive_field(json, name + "_ffn_dim", stack.ffn_dim);
  require_multiple(json, "d_model", d_model, name + "_attention_heads", stack.heads);
  return stack;
}

}  // namespace

BartConfig BartConfig::read(const JsonFile& json) {
  BartConfig c;
  c.vocab_size = positive_field(json, "vocab_size", c.vocab_size);
  c.d_model = positive_field(json, "d_model", c.d_model);
  c.max_position_embeddings = positive_field(json, "max_position_embeddings", c.max_position_embeddings);
  c.encoder = read_stack(json, "encoder", c.d_model);
  c.decoder = read_stack(json, "decoder", c.d_model);
  c.activation = activation_named(json, json.get<std::string>("activation_function", "gelu"));
  c.scale_embedding = json.get<bool>("scale_embedding", false);
  c.pad_token_id = token_field(json, "pad_token_id", c.pad_token_id, c.vocab_size);
  c.decoder_start_token_id = token_field(json, "decoder_start_token_id", c.decoder_start_token_id, c.vocab_size);
  require_field(json, "normalize_before", false);
  require_field(json, "normalize_embedding", true);
  require_field(json, "add_final_layer_norm", false);
  require_field(json, "static_position_embeddings", false);
  return c;
}

BartConfig BartConfig::published(const std::string& name) {
  require<ConfigError>(name == "bart-base" || name == "bart-large", "model shape: '{}' was given; wanted bart-base or bart-large", name);
  BartConfig c;
  if (name == "bart-base") {
    c.d_model = 768;
    c.encoder = c.decoder = {6, 12, 3072};
  }
  return c;
}

}  // namespace preamble
