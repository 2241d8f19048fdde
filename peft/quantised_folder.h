// A model folder whose matrices are quantised once, so that they are mapped from then on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/core/quantise.h"
#include "models/parameters.h"

namespace preamble {

/// One matrix of such a folder.
struct QuantisedMatrix {
  std::string name;
  Dtype dtype = Dtype::f32;
  Dims dims;
  std::int64_t bytes = 0;
  QuantisationError error;
};

struct QuantisedModel {
  std::vector<QuantisedMatrix> matrices;
  std::int64_t bytes = 0;         ///< of all tensors that the folder holds
  std::int64_t source_bytes = 0;  ///< of the same tensors in float32
};

/// Writes config, tokenizer files and all tensors of `source` to `target`, matrices as `options` hold them. Copies of a tied table are left
/// out; tensors that the model does not read by itself (heads, a pooler) stay as they are. Throws FileError if `target` is `source` or a
/// file cannot be read or written, ConfigError if the options quantise nothing.
[[nodiscard]] QuantisedModel quantise_model_folder(const std::filesystem::path& source, const std::filesystem::path& target,
                                                   const Parameters::Options& options);

}  // namespace preamble
