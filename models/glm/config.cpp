#include "models/glm/config.h"

#include <map>

#include <fmt/ranges.h>

#include "engine/core/error.h"
#include "models/config_fields.h"

namespace preamble {
namespace {

struct Shape {
  std::int64_t layers, width, heads, vocabulary, positions;
};

const std::map<std::string, Shape>& shapes() {
  static const std::map<std::string, Shape> kShapes = {{"glm-base", {12, 768, 12, 30592, 512}},
                                                       {"glm-large", {24, 1024, 16, 30592, 512}},
                                                       {"glm-515m", {30, 1152, 18, 30592, 512}},
                                                       {"glm-xlarge", {36, 2048, 32, 50304, 1024}},
                                                       {"glm-xxlarge", {48, 4096, 64, 50304, 1024}}};
  return kShapes;
}

}  // namespace

GlmConfig GlmConfig::read(const JsonFile& json) {
  require<UnsupportedError>(json.has("max_sequence_length") && !json.has("rms_norm_eps"),
                            "{}: model_type is 'glm' without max_sequence_length, or with rms_norm_eps: the later model with rotary positions; "
                            "wanted the blank-filling GLM",
                            json.where());
  GlmConfig c;
  c.vocab_size = positive_field(json, "vocab_size", c.vocab_size);
  c.hidden_size = positive_field(json, "hidden_size", c.hidden_size);
  c.num_layers = positive_field(json, "num_layers", json.get<std::int64_t>("num_hidden_layers", c.num_layers));
  c.num_attention_heads = positive_field(json, "num_attention_heads", c.num_attention_heads);
  c.max_sequence_length = positive_field(json, "max_sequence_length", c.max_sequence_length);
  c.block_position_encoding = json.get<bool>("block_position_encoding", c.block_position_encoding);
  c.layernorm_epsilon = epsilon_field(json, "layernorm_epsilon", c.layernorm_epsilon);
  if (const auto name = json.find<std::string>("hidden_act")) c.activation = activation_named(json, *name);
  c.pool_token = json.get<std::string>("pool_token", c.pool_token);
  require_multiple(json, "hidden_size", c.hidden_size, "num_attention_heads", c.num_attention_heads);
  return c;
}

GlmConfig GlmConfig::published(const std::string& name) {
  const auto found = shapes().find(name);
  require<ConfigError>(found != shapes().end(), "model shape: '{}' was given; wanted {}", name, fmt::join(published_names(), ", "));
  GlmConfig c;
  c.num_layers = found->second.layers;
  c.hidden_size = found->second.width;
  c.num_attention_heads = found->second.heads;
  c.vocab_size = found->second.vocabulary;
  c.max_sequence_length = found->second.positions;
  c.activation = ActivationKind::gelu_tanh;
  return c;
}

std::vector<std::string> GlmConfig::published_names() {
  std::vector<std::string> names;
  for (const auto& [name, shape] : shapes()) names.push_back(name);
  return names;
}

}  // namespace preamble
