// LoRA adapters in PEFT's layout.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "peft/lora.h"

namespace preamble {

/// In front of the names of a LORA adapter's tensors, its heads included.
inline constexpr std::string_view kLoraPrefix = "base_model.model.";
/// Where an adapter of another method keeps the additions that were trained beside it.
inline constexpr const char* kLoraFolder = "lora";

/// What transformers' classes for tasks put in front of the names of the backbone: `bert.`, `transformer.`, `model.`; by `model_type` of
/// FOLDER/config.json. Empty for a folder without one.
[[nodiscard]] std::string class_prefix(const std::filesystem::path& folder);
/// The name of a map in transformers' class for a task: with that prefix, if it lacks it.
[[nodiscard]] std::string module_name(const std::string& map, const std::string& prefix);

/// Whether a folder holds a LORA adapter.
[[nodiscard]] bool is_lora(const std::filesystem::path& folder);

/// Reads the additions and adds them to the model. Maps are found by their names with or without what stands in front of a backbone's. Throws
/// FileError for a damaged folder and for tensors that fit no map, UnsupportedError for kinds of LoRA that are not built in.
[[nodiscard]] std::unique_ptr<LoraTuning> read_lora(const std::filesystem::path& folder, LanguageModel& model, std::unique_ptr<Method> beside,
                                                    const Warn& warn = {});

}  // namespace preamble
