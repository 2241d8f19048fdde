// From a Hugging Face folder to a model.
#pragma once

#include <filesystem>
#include <memory>

#include "models/encoder_decoder.h"

namespace preamble {

/// Opens the encoder-decoder that `model_type` of config.json names. Throws FileError, UnsupportedError.
[[nodiscard]] std::unique_ptr<EncoderDecoder> open_encoder_decoder(const std::filesystem::path& folder, Parameters::Options options = {});

}  // namespace preamble
