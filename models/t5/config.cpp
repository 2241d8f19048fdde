#include "models/t5/config.h"

#include <map>

#include "data/model_type.h"
#include "engine/core/error.h"
#include "models/config_fields.h"

namespace preamble {
namespace {

/// What transformers takes for the fields that the config.json of an mT5 or UMT5 lacks.
T5Config multilingual(bool own_bias_tables) {
  T5Config c;
  c.vocab_size = 250112;
  c.d_ff = 1024;
  c.num_layers = 8;
  c.num_heads = 6;
  c.own_bias_tables = own_bias_tables;
  return c;
}

}  // namespace

T5Config T5Config::read(const JsonFile& json) {
  const auto type = model_type_of(json, "t5");
  T5Config c = type == "t5" ? T5Config() : multilingual(type == "umt5");
  c.vocab_size = positive_field(json, "vocab_size", c.vocab_size);
  c.d_model = positive_field(json, "d_model", c.d_model);
  c.d_kv = positive_field(json, "d_kv", c.d_kv);
  c.d_ff = positive_field(json, "d_ff", c.d_ff);
  c.num_layers = positive_field(json, "num_layers", c.num_layers);
  c.num_decoder_layers = positive_field(json, "num_decoder_layers", c.num_layers);
  c.num_heads = positive_field(json, "num_heads", c.num_heads);
  c.relative_attention_num_buckets = positive_field(json, "relative_attention_num_buckets", c.relative_attention_num_buckets);
  c.relative_attention_max_distance = positive_field(json, "relative_attention_max_distance", c.relative_attention_max_distance);
  c.layer_norm_epsilon = epsilon_field(json, "layer_norm_epsilon", c.layer_norm_epsilon);
  // `gated-gelu` means the tanh form: transformers' own rule for the files of T5 v1.1
  const auto projection = json.get<std::string>("feed_forward_proj", type == "t5" ? "relu" : "gated-gelu");
  c.gated = projection.starts_with("gated-");
  const std::string function = c.gated ? projection.substr(6) : projection;
  c.activation = activation_named(json, projection == "gated-gelu" ? "gelu_new" : function);
  c.scale_decoder_outputs = json.get<bool>("scale_decoder_outputs", type != "mt5" && json.get<bool>("tie_word_embeddings", true));
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
  const std::string family = name.substr(0, name.find('-'));
  const auto found = kShapes.find(name.substr(family.ends_with("t5") ? family.size() - 2 : 0));
  const bool known = found != kShapes.end() && (family == "t5" || family == "mt5" || (family == "umt5" && name != "umt5-large"));
  require<ConfigError>(known, "model shape: '{}' was given; wanted t5-, mt5- or umt5-small, -base, -large (no umt5), -xl or -xxl", name);
  T5Config c = family == "t5" ? T5Config() : multilingual(family == "umt5");
  if (family == "umt5") c.vocab_size = 256384;
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
