// The tensors of a GGUF file under the names of a checkpoint.
#pragma once

#include <filesystem>
#include <memory>

#include "data/gguf.h"
#include "models/parameters.h"

namespace preamble {

/// Maps the file. Tensors keep their types and blocks; those whose rows llama.cpp has moved (`checkpoint_rows`) are copied as they are read, and so are
/// Gemma's norms, whose scales are w again. Throws FileError, UnsupportedError for an architecture that is not among `gguf_architectures`.
[[nodiscard]] std::shared_ptr<const ParameterSource> gguf_source(const std::filesystem::path& file);

/// `general.architecture` of a file. Throws FileError if it is missing, UnsupportedError as above.
[[nodiscard]] std::string gguf_architecture(const GgufFile& file);

/// Has a t5's feed-forward part a gate?
[[nodiscard]] bool is_gated(const GgufFile& file);

}  // namespace preamble
