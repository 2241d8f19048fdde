// Models without a checkpoint: for planning and for benchmarks.
#pragma once

#include <memory>
#include <string>

#include "models/encoder_decoder.h"
#include "models/encoder_model.h"

namespace preamble {

/// A model whose weights `source` makes up. `shape` is a folder with a config.json, whose weight files are not opened, or a
/// published shape such as `t5-base` (v1.1). Throws FileError, ConfigError, UnsupportedError.
[[nodiscard]] std::unique_ptr<EncoderDecoder> made_up_model(const std::string& shape, std::shared_ptr<const ParameterSource> source,
                                                            Parameters::Options options = {});

/// The same for an encoder: `bert-base`, `bert-large`, `roberta-base` or `roberta-large`, or a folder.
[[nodiscard]] std::unique_ptr<EncoderModel> made_up_encoder(const std::string& shape, std::shared_ptr<const ParameterSource> source,
                                                            Parameters::Options options = {});

}  // namespace preamble
