#include "peft/lora.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>
#include <utility>

#include <fmt/ranges.h>

#include "engine/core/error.h"
#include "engine/core/hash.h"
#include "engine/core/random.h"
#include "models/causal_lm.h"
#include "models/encoder_decoder.h"
#include "models/encoder_model.h"
#include "peft/lora_file.h"

namespace preamble {
namespace {

constexpr std::string_view kAllLinear = "all-linear";

void build_once(LanguageModel& model) {
  Graph graph = model.parameters().graph();
  if (auto* encoder = dynamic_cast<EncoderModel*>(&model)) {
    (void)encoder->encode(graph, {}, {});
  } else if (auto* causal = dynamic_cast<CausalLm*>(&model)) {
    (void)causal->decode(graph, {}, {});
  } else if (auto* both = dynamic_cast<EncoderDecoder*>(&model)) {
    (void)both->decode(graph, both->encode(graph, {}, {}), {}, {});
  }
}

bool ends_with_part(std::string_view name, std::string_view part) {
  return name == part || (name.size() > part.size() && name.ends_with(part) && name[name.size() - part.size() - 1] == '.');
}

void require_fit(const std::string& name, const LinearMap& map, const LoraFactors& factors) {
  const Dims& a = factors.a.dims();
  const Dims& b = factors.b.dims();
  const bool fits = a.size() == 2 && b.size() == 2 && a[0] == b[1] && a[1] == map.in && b[0] == map.out;
  require<ShapeError>(fits, "LoRA: A of '{}' is {} and B is {}; wanted [r, {}] and [{}, r]", name, to_string(a), to_string(b), map.in, map.out);
}

}  // namespace

std::map<std::string, LinearMap> maps_inside(LanguageModel& model) {
  if (model.parameters().maps().empty()) build_once(model);
  std::map<std::string, LinearMap> maps;
  for (const auto& [name, map] : model.parameters().maps()) {
    // the output matrix is no map of a layer
    if (!ends_with_part(name, "lm_head") && !ends_with_part(name, "embed_out")) maps.emplace(name, map);
  }
  return maps;
}

std::vector<std::string> default_targets(const std::map<std::string, LinearMap>& maps) {
  static const std::vector<std::vector<std::string>> kKnown = {{"query", "value"}, {"query_proj", "value_proj"}, {"q_lin", "v_lin"},
                                                               {"q_proj", "v_proj"}, {"q", "v"}, {"c_attn"}, {"query_key_value"}};
  for (const auto& targets : kKnown) {
    const bool all = std::ranges::all_of(targets, [&](const std::string& target) {
      return std::ranges::any_of(maps, [&](const auto& map) { return ends_with_part(map.first, target); });
    });
    if (all) return targets;
  }
  raise<ConfigError>("LoRA: no target_modules were given, and the model has none of the usual ones; wanted names of its maps");
}

bool is_target(const LoraConfig& config, const std::string& map) {
  if (config.target_is_pattern) {
    const std::string& pattern = config.target_modules.front();
    if (pattern == kAllLinear) return true;
    try {
      return std::regex_match(map, std::regex(pattern));
    } catch (const std::regex_error& error) {
      raise<ConfigError>("LoRA: target_modules '{}' is no regular expression: {}", pattern, error.what());
    }
  }
  return std::ranges::any_of(config.target_modules, [&](const std::string& target) { return ends_with_part(map, target); });
}

LoraTuning::LoraTuning(std::unique_ptr<Method> beside, LanguageModel& model, LoraConfig config, LoraTensors tensors,
                       const std::map<std::string, std::string>& names)
    : beside_(std::move(beside)), config_(std::move(config)), tensors_(std::move(tensors)) {
  const auto maps = maps_inside(model);
  for (const auto& [name, factors] : tensors_) {
    const auto map = maps.find(name);
    require<ConfigError>(map != maps.end(), "LoRA: the model has no linear map '{}'", name);
    require_fit(name, map->second, factors);
    const std::string& leaf = names.at(name);
    LowRank addition{factors.a, factors.b, config_.scale(), config_.dropout, leaf + ".lora_A.weight", leaf + ".lora_B.weight"};
    trainables_.push_back({addition.leaf_a, addition.a});
    trainables_.push_back({addition.leaf_b, addition.b});
    model.parameters().add_low_rank(name, std::move(addition));
  }
}

std::vector<Trainable> LoraTuning::trainables() const {
  std::vector<Trainable> all = trainables_;
  for (auto& trainable : beside_->trainables()) all.push_back(std::move(trainable));
  return all;
}

std::unique_ptr<LoraTuning> make_lora(std::unique_ptr<Method> beside, LanguageModel& model, LoraConfig config, const std::string& class_prefix,
                                      std::uint64_t seed) {
  const auto maps = maps_inside(model);
  if (config.target_modules.empty()) config.target_modules = default_targets(maps);
  LoraTensors tensors;
  std::map<std::string, std::string> names;
  for (const auto& [name, map] : maps) {
    const std::string module = module_name(name, class_prefix);
    if (!is_target(config, module)) continue;
    config.fan_in_fan_out = config.fan_in_fan_out || map.transposed;
    Random random(seed, fnv1a(kHashSeed, name.data(), name.size()));
    LoraFactors factors{Tensor(Dtype::f32, {config.r, map.in}), Tensor(Dtype::f32, {map.out, config.r})};
    const float bound = 1 / std::sqrt(static_cast<float>(map.in));
    for (auto& x : factors.a.values<float>()) x = random.uniform(-bound, bound);
    tensors.emplace(name, std::move(factors));
    names.emplace(name, std::string(kLoraPrefix) + module);
  }
  require<ConfigError>(!tensors.empty(), "LoRA: no linear map is one of [{}]; there are such as '{}'", fmt::join(config.target_modules, ", "),
                       maps.empty() ? "none" : maps.begin()->first);
  return std::make_unique<LoraTuning>(std::move(beside), model, std::move(config), std::move(tensors), names);
}

Tensor merged_weight(const Tensor& weight, const LowRank& addition, bool transposed) {
  Tensor merged = weight.to(Dtype::f32).clone();
  const std::int64_t out = addition.b.dim(0), rank = addition.b.dim(1), in = addition.a.dim(1);
  const auto a = std::as_const(addition.a).values<float>();
  const auto b = std::as_const(addition.b).values<float>();
  auto w = merged.values<float>();
  for (std::int64_t n = 0; n < out; ++n) {
    for (std::int64_t k = 0; k < in; ++k) {
      double sum = 0;
      for (std::int64_t r = 0; r < rank; ++r) {
        sum += static_cast<double>(b[static_cast<std::size_t>(n * rank + r)]) * static_cast<double>(a[static_cast<std::size_t>(r * in + k)]);
      }
      float& x = w[static_cast<std::size_t>(transposed ? k * out + n : n * in + k)];
      x = static_cast<float>(static_cast<double>(x) + addition.scale * sum);
    }
  }
  return merged;
}

}  // namespace preamble
