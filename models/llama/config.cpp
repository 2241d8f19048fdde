#include "models/llama/config.h"

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "data/model_type.h"
#include "engine/core/error.h"
#include "models/config_fields.h"

namespace preamble {
namespace {

/// The window of the layers that have one; 0: no layer has. An absent field is not the same as null.
std::int64_t window_of(const JsonFile& json, const std::string& type) {
  if (type == "qwen2" || type == "qwen3") {
    if (!json.get<bool>("use_sliding_window", false)) return 0;
  } else if (type != "mistral") {
    return 0;
  }
  if (json.value().contains("sliding_window") && !json.has("sliding_window")) return 0;
  return positive_field(json, "sliding_window", 4096);
}

std::vector<int> windows_of(const JsonFile& json, const std::string& type, std::int64_t layers) {
  const auto window = static_cast<int>(window_of(json, type));
  if (window == 0) return {};
  if (type == "mistral") return std::vector<int>(static_cast<std::size_t>(layers), window);
  std::vector<int> windows;
  const auto types = json.find<std::vector<std::string>>("layer_types");
  require<FileError>(!types || static_cast<std::int64_t>(types->size()) == layers, "{}: layer_types has {} entries; wanted {}", json.where(),
                     types ? types->size() : 0, layers);
  const auto full = json.get<std::int64_t>("max_window_layers", 28);
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const std::string kind = types ? types->at(static_cast<std::size_t>(layer)) : layer < full ? "full_attention" : "sliding_attention";
    require<UnsupportedError>(kind == "full_attention" || kind == "sliding_attention",
                              "{}: layer_types has '{}'; wanted full_attention or sliding_attention", json.where(), kind);
    windows.push_back(kind == "sliding_attention" ? window : 0);
  }
  return std::ranges::any_of(windows, [](int w) { return w > 0; }) ? windows : std::vector<int>{};
}

/// What transformers computes: the first files of Gemma say `gelu` and mean its tanh form.
std::string activation_of(const JsonFile& json, bool gemma) {
  if (!gemma) return json.get<std::string>("hidden_act", "silu");
  const auto name = json.get<std::string>("hidden_activation", json.get<std::string>("hidden_act", "gelu_pytorch_tanh"));
  return name == "gelu" ? "gelu_pytorch_tanh" : name;
}

struct Shape {
  std::string type;
  std::int64_t vocabulary, width, inner, layers, heads, kv_heads, head_dim;
  double theta;
  bool tied;
};

const std::map<std::string, Shape>& shapes() {
  static const std::map<std::string, Shape> kShapes = {
      {"smollm2-135m", {"llama", 49152, 576, 1536, 30, 9, 3, 64, 100000, true}},
      {"smollm2-360m", {"llama", 49152, 960, 2560, 32, 15, 5, 64, 100000, true}},
      {"llama-3.2-1b", {"llama", 128256, 2048, 8192, 16, 32, 8, 64, 500000, true}},
      {"qwen3-0.6b", {"qwen3", 151936, 1024, 3072, 28, 16, 8, 128, 1000000, true}}};
  return kShapes;
}

}  // namespace

LlamaConfig LlamaConfig::read(const JsonFile& json) {
  const auto type = model_type_of(json, "llama");
  LlamaConfig c;
  c.gemma = type == "gemma";
  c.vocab_size = positive_field(json, "vocab_size", c.vocab_size);
  c.hidden_size = positive_field(json, "hidden_size", c.hidden_size);
  c.intermediate_size = positive_field(json, "intermediate_size", c.intermediate_size);
  c.num_hidden_layers = positive_field(json, "num_hidden_layers", c.num_hidden_layers);
  c.num_attention_heads = positive_field(json, "num_attention_heads", c.num_attention_heads);
  c.num_key_value_heads = positive_field(json, "num_key_value_heads", c.num_attention_heads);
  require_multiple(json, "num_attention_heads", c.num_attention_heads, "num_key_value_heads", c.num_key_value_heads);
  if (!json.has("head_dim") && type != "qwen3" && type != "gemma") {
    require_multiple(json, "hidden_size", c.hidden_size, "num_attention_heads", c.num_attention_heads);
    c.head_dim = c.hidden_size / c.num_attention_heads;
  } else {
    c.head_dim = positive_field(json, "head_dim", c.gemma ? 256 : 128);
  }
  c.rms_norm_eps = epsilon_field(json, "rms_norm_eps", c.rms_norm_eps);
  c.activation = activation_named(json, activation_of(json, c.gemma));
  c.rotary = read_rotary(json, c.head_dim, positive_field(json, "max_position_embeddings", 2048));
  if (json.has("pad_token_id")) {
    const auto pad = json.get<std::int64_t>("pad_token_id");
    // -1 is what some files write for none
    c.pad_token_id = pad == -1 ? -1 : token_field(json, "pad_token_id", 0, c.vocab_size);
  } else if (c.gemma && !json.value().contains("pad_token_id")) {
    c.pad_token_id = 0;
  }
  const bool biased = type != "mistral" && json.get<bool>("attention_bias", false);
  c.query_bias = biased || type == "qwen2";
  c.output_bias = biased && type != "qwen2";
  c.mlp_bias = type == "llama" && json.get<bool>("mlp_bias", false);
  c.head_norms = type == "qwen3";
  c.tied = json.get<bool>("tie_word_embeddings", c.gemma);
  c.windows = windows_of(json, type, c.num_hidden_layers);
  return c;
}

LlamaConfig LlamaConfig::published(const std::string& name) {
  const auto found = shapes().find(name);
  require<ConfigError>(found != shapes().end(), "model shape: '{}' was given; wanted the name of a Llama, SmolLM2 or Qwen3", name);
  const Shape& shape = found->second;
  LlamaConfig c;
  c.vocab_size = shape.vocabulary;
  c.hidden_size = shape.width;
  c.intermediate_size = shape.inner;
  c.num_hidden_layers = shape.layers;
  c.num_attention_heads = shape.heads;
  c.num_key_value_heads = shape.kv_heads;
  c.head_dim = shape.head_dim;
  c.rotary.options.columns = shape.head_dim;
  c.rotary.options.theta = shape.theta;
  c.head_norms = shape.type == "qwen3";
  c.tied = shape.tied;
  if (name.starts_with("llama-3.2")) {
    c.rotary.options.scaling = RotaryScaling::llama3;
    c.rotary.options.factor = 32;
    c.rotary.options.original_length = 8192;
  }
  return c;
}

std::vector<std::string> LlamaConfig::published_names(const std::string& model_type) {
  std::vector<std::string> names;
  for (const auto& [name, shape] : shapes()) {
    if (shape.type == model_type) names.push_back(name);
  }
  return names;
}

}  // namespace preamble
