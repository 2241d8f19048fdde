#include "models/t5/config.h"

#include <map>

#include "engine/core/error.h"
#include "models/config_fields.h"

namespace preamble {
T5Config T5Config::read(const JsonFile& json) {
  T5Config c;
  c.vocab_size = positive_field(json, "vocab_size", c.vocab_size);
  c.d_model = positive_field(json, "d_model", c.d_model);
  c.d_kv = positive_field(json, "d_kv", c.d_kv);
  c.d_ff = positive_field(json, "d_ff", c.d_ff);
  c.num_layers = positive_field(json, "num_layers", c.num_layers);
  c.num_decoder_layers = positive_field(json, "num_decoder_layers", c.num_layers);
  c.num_heads = positive_field(json, "num_heads", c.num_heads);
  c.relative_attention_num_buckets = positive_field(json, "relative_attention_num_buckets", c.relative_attention_num_buckets);
  c.relative_attention_max_distance = positive_field(json, "relative_attention_max_distance", c.relative_attention_max_distance);
  c.layer_norm_epsilon = json.get<double>("layer_norm_epsilon", c.layer_norm_epsilon);
  // `gated-gelu` means the tanh form: transformers' own rule for the files of T5 v1.1
  const auto projection = json.get<std::string>("feed_forward_proj", "relu");
  c.gated = projection.starts_with("gated-");
  const std::string function = c.gated ? projection.substr(6) : projection;
  c.activation = activation_named(json, projection == "gated-gelu" ? "gelu_new" : function);
  c.scale_decoder_outputs = json.get<bool>("scale_decoder_outputs", json.get<bool>("tie_word_embeddings", true));
  c.pad_token_id = token_field(json, "pad_token_id", 0, c.vocab_size);
  c.eos_token_id = json.get<std::int64_t>("eos_token_id", 1);
  c.decoder_start_token_id = token_field(json, "decoder_start_token_id", c.pad_token_id, c.vocab_size);
  return c;
}

T5Config T5Config::published(const std::string& name) {
  struct Shape {
    std::int64_t layers, d_model, heads, d_ff;
  };
  static const std::map<std::string, Shape> kShapes = {{"t5-small", {8, 512, 6, 1024}},
                                                       {"t5-base", {12, 768, 12, 2048}},
                                                       {"t5-large", {24, 1024, 16, 2816}},
                                                       {"t5-xl", {24, 2048, 32, 5120}},
                                                       {"t5-xxl", {24, 4096, 64, 10240}}};
  const auto found = kShapes.find(name);
  require<ConfigError>(found != kShapes.end(), "model shape: '{}' was given; wanted t5-small, t5-base, t5-large, t5-xl or t5-xxl", name);
  T5Config c;
  c.d_model = found->second.d_model;
  c.d_ff = found->second.d_ff;
  c.num_layers = c.num_decoder_layers = found->second.layers;
  c.num_heads = found->second.heads;
  c.activation = ActivationKind::gelu_tanh;
  c.gated = true;
  c.scale_decoder_outputs = false;
  return c;
}

}  // namespace preamble
