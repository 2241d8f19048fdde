// Adapter folders in PEFT's layout.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/encoder_decoder.h"
#include "peft/method.h"
#include "peft/peft_config.h"
#include "peft/prompt_tuning.h"

namespace preamble {

/// Opens one adapter folder per slot. All must be of one kind and fit the model. Throws FileError, ConfigError.
[[nodiscard]] std::unique_ptr<Method> open_adapters(const std::vector<std::filesystem::path>& folders, EncoderDecoder& model);

/// A prompt of PEFT's PROMPT_TUNING (or a folded P_TUNING) folder: an owned F32 copy. `width`: of the model's embedding.
[[nodiscard]] PromptSlot read_prompt(const std::filesystem::path& folder, const PeftConfig& config, std::int64_t width);

/// Writes adapter_config.json and adapter_model.safetensors so that PEFT loads them. The folder is made if need be; each
/// file is replaced atomically, the tensors first.
void write_adapter(const std::filesystem::path& folder, const PeftConfig& config, std::span<const std::pair<std::string, Tensor>> tensors);

}  // namespace preamble
