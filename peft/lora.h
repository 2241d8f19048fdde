// LoRA: low-rank additions to linear maps, as a comparison for prompt methods (Hu et al. 2021).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/language_model.h"
#include "peft/method.h"
#include "peft/peft_config.h"

namespace preamble {

/// A and B of a map.
struct LoraFactors {
  Tensor a;  ///< [r, K]
  Tensor b;  ///< [N, r]
};

/// By the names of the model's maps.
using LoraTensors = std::map<std::string, LoraFactors>;

/// Names of the model's linear maps that LoRA can add to, with their sizes: those inside layers. Builds a graph if there was none yet.
[[nodiscard]] std::map<std::string, LinearMap> maps_inside(LanguageModel& model);

/// The names of maps that PEFT adds to by default, by the maps that the model has: `query` and `value`, `q_proj` and `v_proj`, ...
/// Throws ConfigError for a model whose maps have none of these names.
[[nodiscard]] std::vector<std::string> default_targets(const std::map<std::string, LinearMap>& maps);

/// Whether a map is one of the targets: its name, or the end of its name behind a dot, is listed; or a regular expression matches the
/// whole name; `all-linear` is any.
[[nodiscard]] bool is_target(const LoraConfig& config, const std::string& map);

/// Low-rank additions y += scale · B (A x), beside another method. They belong to the model: every graph that is built from now on has them.
class LoraTuning final : public Method {
 public:
  /// Adds to the model's maps. `names`: of the trainables, by map, without `.lora_A.weight`. Throws ConfigError for a map that the model does
  /// not have, or that has an addition; ShapeError for factors that do not fit it.
  LoraTuning(std::unique_ptr<Method> beside, LanguageModel& model, LoraConfig config, LoraTensors tensors,
             const std::map<std::string, std::string>& names);

  [[nodiscard]] Conditioning condition(Graph& graph) const override { return beside_->condition(graph); }
  /// A and B of each map, then those of the method beside.
  [[nodiscard]] std::vector<Trainable> trainables() const override;

  [[nodiscard]] const Method& beside() const noexcept { return *beside_; }
  [[nodiscard]] const LoraConfig& config() const noexcept { return config_; }
  [[nodiscard]] const LoraTensors& tensors() const noexcept { return tensors_; }

 private:
  std::unique_ptr<Method> beside_;
  LoraConfig config_;
  LoraTensors tensors_;
  std::vector<Trainable> trainables_;
};

/// New factors for the targets, PEFT's where the config names none: A uniform in ±1/√K (Kaiming with a = √5, as torch's Linear), B zero. A
/// function of the seed and the map's name. Throws ConfigError where no map is a target.
[[nodiscard]] std::unique_ptr<LoraTuning> make_lora(std::unique_ptr<Method> beside, LanguageModel& model, LoraConfig config,
                                                    const std::string& class_prefix, std::uint64_t seed);

/// W + scale · B A of a map's weight [N, K], or its transpose for a transposed map, in float32.
[[nodiscard]] Tensor merged_weight(const Tensor& weight, const LowRank& addition, bool transposed);

}  // namespace preamble
