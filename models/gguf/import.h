// A model folder around a GGUF file.
#pragma once

#include <filesystem>

namespace preamble {

/// Name of the file in such a folder.
inline constexpr const char* kGgufModel = "model.gguf";

/// Makes a folder that every command opens as a model: config.json and tokenizer files as the metadata of `file` say, and `model.gguf`, a
/// link to it. Tensors are mapped from the file as they are. The folder is made if need be. Throws FileError for a file without the
/// metadata that a model needs, or if the folder cannot be written; UnsupportedError for an architecture or a tokenizer that is not known.
void import_gguf(const std::filesystem::path& file, const std::filesystem::path& folder);

}  // namespace preamble
