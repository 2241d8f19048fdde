// The method that a training run trains: made from options, and saved as an adapter.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "data/tokenizers/tokenizer.h"
#include "models/heads/headed_encoder.h"
#include "peft/method.h"
#include "peft/text_task.h"

namespace preamble {

struct TrainArguments;

/// Options of prefixes and of P-tuning, named as PEFT's where PEFT has them.
struct MethodOptions {
  bool prefix_projection = false;
  std::int64_t encoder_hidden_size = 0;  ///< 0: as wide as the rows
  std::string encoder_reparameterization_type = "MLP";
  std::int64_t encoder_num_layers = 2;
  double encoder_dropout = 0;
  std::vector<std::string> prefix_sites;    ///< empty: PEFT's, the decoder's self-attention
  std::vector<std::int64_t> prefix_layers;  ///< empty: all
  std::string prefix_positions;             ///< empty: shifted for a model of one stack, else unshifted
  std::string placement = "prefix";
  std::string prefix_init = "random";
  double prefix_init_std = 0.02;
  std::string prefix_init_text;

  void add_to(CLI::App& command);
  [[nodiscard]] bool infix() const noexcept { return placement == "infix"; }
  /// What a resumed run must have in common with the first one, as text.
  [[nodiscard]] std::string fingerprint() const;
};

/// How many submodules PEFT's file has: as given, else 2 for a prefix of an encoder-decoder (PEFT loads no other) and 1 otherwise.
/// Throws ConfigError for 2 with a model of one stack.
[[nodiscard]] std::int64_t submodules_of(const TrainArguments& args, const LanguageModel& model);

/// Name of the prompt's initialiser: as given, else by task.
[[nodiscard]] std::string prompt_init_name(const TrainArguments& args, const TextTask& task);

/// `prompt`, `ptuning` or `prefix` with initial values. Throws ConfigError, FileError.
[[nodiscard]] std::unique_ptr<Method> make_method(const TrainArguments& args, const TextTask& task, LanguageModel& model,
                                                  const Tokenizer& tokenizer);

/// The head that is saved with an adapter, if any.
struct SavedHead {
  const HeadedEncoder* encoder = nullptr;
  const Head* head = nullptr;
};

/// Writes the adapter of a method that `make_method` made: PEFT's layout, or the native one where PEFT has none (a head alone is a
/// native prefix of no sites). Reparametrisations are folded; their own weights go to reparametrisation.safetensors beside it.
void save_method(const TrainArguments& args, const std::filesystem::path& folder, const Method& method, const LanguageModel& model,
                 const SavedHead& head = {});

}  // namespace preamble
