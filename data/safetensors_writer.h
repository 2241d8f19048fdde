// Writing safetensors files, byte for byte as the reference implementation does.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "engine/core/tensor.h"

namespace preamble {

/// Creates or replaces `path` atomically (so it may replace a file whose tensors are being written). Tensors lie in the
/// order of the reference writer, wide types first, then by name; the header is compact JSON, padded with spaces so that
/// every tensor is aligned. `metadata` is written sorted, and not at all where it is empty.
/// Loaders of the Hugging Face ecosystem want `{"format": "pt"}`.
/// Throws FileError for a name that is given twice, is reserved or no UTF-8, an undefined tensor, or a failed write.
void write_safetensors(const std::filesystem::path& path, std::span<const std::pair<std::string, Tensor>> tensors,
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace preamble
