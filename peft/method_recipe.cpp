#include "peft/method_recipe.h"

#include <fmt/ranges.h>

#include "engine/core/error.h"
#include "models/encoder_decoder.h"

namespace preamble {

std::string MethodOptions::describe() const {
  return fmt::format("projection {} hidden {} {} {}{} sites [{}] layers [{}] {}{} init {} {} '{}'", prefix_projection, encoder_hidden_size,
                     encoder_reparameterization_type, encoder_num_layers,
                     encoder_dropout > 0 ? fmt::format(" dropout {}", encoder_dropout) : "", fmt::join(prefix_sites, ","),
                     fmt::join(prefix_layers, ","), prefix_positions, infix() ? " infix" : "", prefix_init, prefix_init_std,
                     prefix_init_text);
}

bool is_single_stack(const LanguageModel& model) { return dynamic_cast<const EncoderDecoder*>(&model) == nullptr; }

std::int64_t submodules_of(const MethodRecipe& recipe, const LanguageModel& model) {
  require<ConfigError>(recipe.submodules < 2 || !is_single_stack(model), "num_transformer_submodules {}: a model of one stack has 1",
                       recipe.submodules);
  if (recipe.submodules > 0) return recipe.submodules;
  return recipe.method == "prefix" && !is_single_stack(model) ? 2 : 1;
}

std::string prompt_init_name(const MethodRecipe& recipe, const TextTask& task) {
  if (recipe.method != "prompt") return "none";
  return !recipe.prompt_tuning_init.empty() ? recipe.prompt_tuning_init : task.classifies() ? "class_labels" : "sample_vocab";
}

double default_learning_rate(const MethodRecipe& recipe, std::string_view optimizer) {
  const bool full = recipe.method == "full";
  if (optimizer == "adafactor") return full ? 1e-3 : 0.3;
  if (optimizer == "sgd") return full ? 1e-2 : 0.3;
  if (full) return 5e-5;
  if (recipe.method == "lora") return 5e-4;
  if (recipe.method == "prompt") return 0.03;
  if (recipe.method == "ptuning") return 3e-3;
  return recipe.method == "prefix" && recipe.method_options.prefix_projection ? 5e-5 : 1e-2;
}

}  // namespace preamble
