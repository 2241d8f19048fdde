// A fine-tuned model as a Hugging Face folder.
#pragma once

#include <filesystem>

#include "models/parameters.h"

namespace preamble {

/// Writes config, tokenizer files and generation options of `source` and all loaded parameters (model.safetensors) to
/// `target`, which transformers then loads. Each file is replaced atomically. Throws FileError.
void save_model_folder(const std::filesystem::path& source, const std::filesystem::path& target, const Parameters& parameters);

}  // namespace preamble
