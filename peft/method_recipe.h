// What a run trains, as values: enough to make a method and to save it as an adapter.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/language_model.h"
#include "peft/initialise.h"
#include "peft/peft_config.h"
#include "peft/text_task.h"

namespace preamble {

/// Settings of prefixes and of P-tuning, named as PEFT's where PEFT has them.
struct MethodOptions {
  bool prefix_projection = false;
  std::int64_t encoder_hidden_size = 0;  ///< 0: as wide as the rows
  std::string encoder_reparameterization_type = "MLP";
  std::int64_t encoder_num_layers = 2;
  double encoder_dropout = 0;
  std::vector<std::string> prefix_sites;    ///< empty: PEFT's, the decoder's self-attention
  std::vector<std::int64_t> prefix_layers;  ///< empty: all
  std::string prefix_positions;             ///< shifted or unshifted; empty: shifted for a model of one stack, else unshifted
  std::string placement = "prefix";         ///< prefix or infix
  std::string prefix_init = "random";       ///< random, zero, text or adapter
  double prefix_init_std = 0.02;
  std::string prefix_init_text;

  [[nodiscard]] bool infix() const noexcept { return placement == "infix"; }
  /// PEFT's layout holds neither sites nor a choice of layers nor an infix: these are saved in the native one.
  [[nodiscard]] bool native() const noexcept { return !prefix_sites.empty() || !prefix_layers.empty() || infix(); }
  /// All of it as text: what a resumed run must have in common with the first one.
  [[nodiscard]] std::string describe() const;
};

/// A method and its initial values.
struct MethodRecipe {
  std::filesystem::path model;     ///< the base model, which adapter_config.json names
  std::string method = "prompt";   ///< prompt, ptuning, prefix, lora; head and full have no tensors of their own
  std::string prompt_tuning_init;  ///< name of the prompt's initialiser; empty: class_labels for classes, else sample_vocab
  PromptInit init;                 ///< `tokens` is the number of virtual tokens of every method
  std::optional<std::filesystem::path> init_adapter;  ///< where an initialiser is `adapter`: its folder
  std::int64_t submodules = 0;                        ///< 0: by method, see `submodules_of`
  MethodOptions method_options;
  /// Low-rank additions: the method itself, or beside it. Absent for other methods unless asked for.
  std::optional<LoraConfig> lora = {};
  std::uint64_t seed = 42;
};

/// A decoder or an encoder: one site of prefixes, one submodule.
[[nodiscard]] bool is_single_stack(const LanguageModel& model);

/// How many submodules PEFT's file has: as given, else 2 for a prefix of an encoder-decoder (PEFT loads no other) and 1 otherwise.
/// Throws ConfigError for 2 with a model of one stack.
[[nodiscard]] std::int64_t submodules_of(const MethodRecipe& recipe, const LanguageModel& model);

/// Name of the prompt's initialiser: as given, else by task; `none` for other methods.
[[nodiscard]] std::string prompt_init_name(const MethodRecipe& recipe, const TextTask& task);

/// The peak learning rate where none is given, by method and optimizer (`adamw`, `adafactor`, `sgd`).
///
///   adafactor  0.3 (Lester et al. 2021, no parameter scaling); full: 1e-3, their rate of model tuning
///   adamw      prompt 0.03, ptuning 3e-3, head 1e-2, prefix 1e-2 (Liu et al. 2022: 5e-3 to 3e-2), a prefix with a projection 5e-5 (Li and
///              Liang 2021), full 5e-5 (transformers)
///   sgd        0.3; full: 1e-2
[[nodiscard]] double default_learning_rate(const MethodRecipe& recipe, std::string_view optimizer);

}  // namespace preamble
