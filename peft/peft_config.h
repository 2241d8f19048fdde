// adapter_config.json as PEFT writes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace preamble {

enum class PeftType : std::uint8_t { prompt_tuning, prefix_tuning, p_tuning, lora };

/// `PROMPT_TUNING`, ...
[[nodiscard]] std::string_view name_of(PeftType type) noexcept;

/// Receives remarks on a file that can be read but is odd, a sentence each. An empty function ignores them.
using Warn = std::function<void(const std::string&)>;

/// What a LORA file says beside the tensors (LoRA: Hu et al. 2021).
struct LoraConfig {
  std::int64_t r = 8;
  double alpha = 8;
  double dropout = 0;
  bool use_rslora = false;      ///< the scale is alpha / √r instead of alpha / r (Kalajdzievski 2023)
  bool fan_in_fan_out = false;  ///< weights are [in, out] (Conv1D)
  /// Last parts of the names of maps; one text stands for a regular expression of whole names, or `all-linear`. Empty: PEFT's for the model.
  std::vector<std::string> target_modules = {};
  bool target_is_pattern = false;

  /// Of B A x.
  [[nodiscard]] double scale() const noexcept;

  bool operator==(const LoraConfig&) const = default;
};

/// The fields that an adapter's file holds. Absent fields are derived from the model, as PEFT does.
struct PeftConfig {
  PeftType peft_type = PeftType::prompt_tuning;
  std::optional<std::string> task_type;  ///< SEQ_2_SEQ_LM, CAUSAL_LM, SEQ_CLS, TOKEN_CLS, QUESTION_ANS, FEATURE_EXTRACTION
  std::optional<std::string> base_model_name_or_path;
  std::optional<std::int64_t> num_virtual_tokens;
  std::optional<std::int64_t> token_dim;
  std::optional<std::int64_t> num_transformer_submodules;
  std::optional<std::int64_t> num_attention_heads;
  std::optional<std::int64_t> num_layers;
  std::vector<std::string> modules_to_save;  ///< as a set: PEFT repeats names at each save

  std::string prompt_tuning_init = "RANDOM";  ///< PROMPT_TUNING: RANDOM, TEXT, SAMPLE_VOCAB
  std::optional<std::string> prompt_tuning_init_text;
  std::optional<std::string> tokenizer_name_or_path;
  bool prefix_projection = false;                       ///< PREFIX_TUNING
  std::optional<std::int64_t> encoder_hidden_size;      ///< PREFIX_TUNING, P_TUNING
  std::string encoder_reparameterization_type = "MLP";  ///< P_TUNING: MLP, LSTM
  std::int64_t encoder_num_layers = 2;
  double encoder_dropout = 0;
  LoraConfig lora = {};  ///< LORA

  /// Keys that preamble alone reads (`preamble_...`): PEFT 0.14 and later ignore them.
  std::map<std::string, std::string> extra;

  /// Submodules whose rows the file holds: 2 for SEQ_2_SEQ_LM unless given, else 1. A prefix has no such factor.
  [[nodiscard]] std::int64_t submodules() const noexcept;

  /// Reads FOLDER/adapter_config.json. A null field counts as absent; an unknown one is ignored with a warning. Throws
  /// FileError for fields of a wrong type, a task or adapter type that does not exist, and UnsupportedError for types that
  /// are neither prompts nor LORA, and for a LORA of a kind that is not built in (biases, DoRA, ranks of single modules).
  [[nodiscard]] static PeftConfig read(const std::filesystem::path& folder, const Warn& warn = {});
  /// Writes it as PEFT does: sorted keys, two spaces, ASCII, no newline at the end. There are only keys that PEFT has long
  /// known (before 0.14 others are an error), except `extra` and `modules_to_save` where they hold something. TEXT is written
  /// only with the text and the tokenizer that PEFT wants beside it; any other initialisation as RANDOM, because a stored
  /// prompt needs none and old versions know no third.
  void write(const std::filesystem::path& folder) const;
};

}  // namespace preamble
