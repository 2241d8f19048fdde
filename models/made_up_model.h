// Models without a checkpoint: for planning and for benchmarks.
#pragma once

#include <memory>
#include <string>

#include "models/encoder_decoder.h"

namespace preamble {

/// A model whose weights `source` makes up. `shape` is a folder with a config.json, whose weight files are not opened, or a
/// published shape such as `t5-base` (v1.1). Throws FileError, ConfigError, UnsupportedError.
[[nodiscard]] std::unique_ptr<EncoderDecoder> made_up_model(const std::string& shape, std::shared_ptr<const ParameterSource> source,
                                                            Parameters::Options options = {});

}  // namespace preamble
