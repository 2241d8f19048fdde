// config.json of a GGUF file's model.
#pragma once

#include <nlohmann/json.hpp>

#include "data/gguf.h"

namespace preamble {

/// The fields that the file's metadata and tensors say. A head is tied to the embedding where the file has no `output.weight`. Factors of
/// rotary frequencies (`rope_freqs.weight`, Llama 3) become the two lists of `longrope`. Throws FileError for missing or senseless metadata,
/// UnsupportedError for mixtures of experts and for scalings of rotary positions other than linear and yarn.
[[nodiscard]] nlohmann::ordered_json gguf_config(const GgufFile& file);

}  // namespace preamble
