#include "models/t5/config.h"

#include <map>

#include "engine/core/error.h"

namespace preamble {
namespace {

std::int64_t positive(const JsonFile& json, std::string_view key, std::int64_t fallback) {
  constexpr std::int64_t kLargest = 1 << 28;
  const auto value = json.get<std::int64_t>(key, fallback);
  require<FileError>(value > 0 && value <= kLargest, "{}: field '{}' is {}; wanted a number from 1 to {}", json.where(), key, value, kLargest);
  return value;
}

ActivationKind activation_of(const JsonFile& json, const std::string& name) {
  static const std::map<std::string, ActivationKind> kKinds = {
      {"relu", ActivationKind::relu}, {"gelu", ActivationKind::gelu}, {"gelu_new", ActivationKind::gelu_tanh}, {"silu", ActivationKind::silu}};
  const auto found = kKinds.find(name);
  require<UnsupportedError>(found != kKinds.end(), "{}: the activation '{}' was given; wanted relu, gelu, gelu_new or silu", json.where(), name);
  return found->second;
}

}  // namespace

T5Config T5Config::read(const JsonFile& json) {
  T5Config c;
  c.vocab_size = positive(json, "vocab_size", c.vocab_size);
  c.d_model = positive(json, "d_model", c.d_model);
  c.d_kv = positive(json, "d_kv", c.d_kv);
  c.d_ff = positive(json, "d_ff", c.d_ff);
  c.num_layers = positive(json, "num_layers", c.num_layers);
  c.num_decoder_layers = positive(json, "num_decoder_layers", c.num_layers);
  c.num_heads = positive(json, "num_heads", c.num_heads);
  c.relative_attention_num_buckets = positive(json, "relative_attention_num_buckets", c.relative_attention_num_buckets);
  c.relative_attention_max_distance = positive(json, "relative_attention_max_distance", c.relative_attention_max_distance);
  c.layer_norm_epsilon = json.get<double>("layer_norm_epsilon", c.layer_norm_epsilon);
  // `gated-gelu` means the tanh form: transformers' own rule for the files of T5 v1.1
  const auto projection = json.get<std::string>("feed_forward_proj", "relu");
  c.gated = projection.starts_with("gated-");
  const std::string function = c.gated ? projection.substr(6) : projection;
  c.activation = activation_of(json, projection == "gated-gelu" ? "gelu_new" : function);
  c.scale_decoder_outputs = json.get<bool>("scale_decoder_outputs", json.get<bool>("tie_word_embeddings", true));
  c.pad_token_id = json.get<std::int64_t>("pad_token_id", 0);
  c.eos_token_id = json.get<std::int64_t>("eos_token_id", 1);
  c.decoder_start_token_id = json.get<std::int64_t>("decoder_start_token_id", c.pad_token_id);
  for (const auto& [name, id] : {std::pair{"pad_token_id", c.pad_token_id}, {"decoder_start_token_id", c.decoder_start_token_id}}) {
    require<FileError>(id >= 0 && id < c.vocab_size, "{}: field '{}' is {}; wanted a row of the vocabulary of {}", json.where(), name, id, c.vocab_size);
  }
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
