// The generation options that a Hugging Face folder asks for.
#pragma once

#include <filesystem>

#include "data/json_file.h"
#include "models/generate/generation_config.h"

namespace preamble {

/// Options in the form of generation_config.json; what the file does not say has its default.
///
/// Throws FileError if a value has the wrong type, and UnsupportedError if the file turns on a feature of transformers that is not
/// here (contrastive search, guidance, typical sampling, ...).
[[nodiscard]] GenerationConfig read_generation_config(const JsonFile& file);

/// Options of `folder`/generation_config.json, or, where there is none, those that `folder`/config.json holds: its token ids, and in
/// old files the others too. Explicit options are then assigned over the result. Throws also if there is neither file.
[[nodiscard]] GenerationConfig read_generation_config(const std::filesystem::path& folder);

}  // namespace preamble
