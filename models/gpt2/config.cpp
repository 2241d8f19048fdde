#include "models/gpt2/config.h"

#include <map>

#include "engine/core/error.h"
#include "models/config_fields.h"

namespace preamble {

Gpt2Config Gpt2Config::read(const JsonFile& json) {
  Gpt2Config c;
  c.vocab_size = positive_field(json, "vocab_size", c.vocab_size);
  c.n_positions = positive_field(json, "n_positions", json.get<std::int64_t>("n_ctx", c.n_positions));
  c.n_embd = positive_field(json, "n_embd", c.n_embd);
  c.n_layer = positive_field(json, "n_layer", c.n_layer);
  c.n_head = positive_field(json, "n_head", c.n_head);
  c.n_inner = positive_field(json, "n_inner", 4 * c.n_embd);
  c.layer_norm_epsilon = epsilon_field(json, "layer_norm_epsilon", c.layer_norm_epsilon);
  c.activation = activation_named(json, json.get<std::string>("activation_function", "gelu_new"));
  c.scale_attn_weights = json.get<bool>("scale_attn_weights", true);
  c.scale_attn_by_inverse_layer_idx = json.get<bool>("scale_attn_by_inverse_layer_idx", false);
  const auto layout = json.get<std::string>("map_layout", "in_out");
  require<FileError>(layout == "in_out" || layout == "out_in", "{}: map_layout is '{}'; wanted in_out or out_in", json.where(), layout);
  if (layout == "out_in") c.map_layout = WeightLayout::out_in;
  c.tied = json.get<bool>("tie_word_embeddings", true);
  require_field(json, "add_cross_attention", false);
  require_multiple(json, "n_embd", c.n_embd, "n_head", c.n_head);
  return c;
}

Gpt2Config Gpt2Config::published(const std::string& name) {
  struct Shape {
    std::int64_t layers, width, heads;
  };
  static const std::map<std::string, Shape> kShapes = {
      {"gpt2", {12, 768, 12}}, {"gpt2-medium", {24, 1024, 16}}, {"gpt2-large", {36, 1280, 20}}, {"gpt2-xl", {48, 1600, 25}}};
  const auto found = kShapes.find(name);
  require<ConfigError>(found != kShapes.end(), "model shape: '{}' was given; wanted gpt2, gpt2-medium, gpt2-large or gpt2-xl", name);
  Gpt2Config c;
  c.n_layer = found->second.layers;
  c.n_embd = found->second.width;
  c.n_inner = 4 * c.n_embd;
  c.n_head = found->second.heads;
  return c;
}

}  // namespace preamble
