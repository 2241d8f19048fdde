// Prompts that PEFT has no file for: preamble.json and prompt.safetensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "data/json_file.h"
#include "models/conditioning.h"
#include "peft/peft_config.h"
#include "peft/prompt_tuning.h"

namespace preamble {

/// `prefix`, `infix`
[[nodiscard]] std::string_view name_of(Placement placement) noexcept;
/// The field `placement` of a preamble.json, absent: prefix. Throws FileError for another word.
[[nodiscard]] Placement read_placement(const JsonFile& json);

/// A prompt between source and target.
///
/// preamble.json: `{"format": 1, "method": "prompt", "placement": "infix"}`. prompt.safetensors: `prompt_embeddings` [P, D].
struct NativePrompt {
  PromptSlot slot;

  static constexpr const char* kDescription = "preamble.json";
  static constexpr const char* kTensors = "prompt.safetensors";

  /// Whether a folder holds one (and not a native prefix). Throws FileError for a damaged description.
  [[nodiscard]] static bool is_in(const std::filesystem::path& folder);

  /// `width`: of the model's embedding, if there is a model. Throws FileError for a damaged folder or another width; warns of values that
  /// are not finite.
  [[nodiscard]] static NativePrompt read(const std::filesystem::path& folder, std::optional<std::int64_t> width, const Warn& warn = {});

  /// Writes both files; each is replaced atomically, the tensor first.
  void write(const std::filesystem::path& folder) const;
};

}  // namespace preamble
