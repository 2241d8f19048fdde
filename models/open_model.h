// From a Hugging Face folder to a model.
#pragma once

#include <filesystem>
#include <memory>

#include "models/causal_lm.h"
#include "models/encoder_decoder.h"
#include "models/encoder_model.h"

namespace preamble {

/// Opens the model that `model_type` of config.json names. Throws FileError, UnsupportedError.
[[nodiscard]] std::unique_ptr<LanguageModel> open_model(const std::filesystem::path& folder, Parameters::Options options = {});

/// The same where only an encoder-decoder will do. Throws UnsupportedError for another model.
[[nodiscard]] std::unique_ptr<EncoderDecoder> open_encoder_decoder(const std::filesystem::path& folder, Parameters::Options options = {});

/// The same where only an encoder will do. Throws UnsupportedError for another model.
[[nodiscard]] std::unique_ptr<EncoderModel> open_encoder(const std::filesystem::path& folder, Parameters::Options options = {});

}  // namespace preamble
