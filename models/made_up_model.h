// Models without a checkpoint: for planning and for benchmarks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/language_model.h"

namespace preamble {

/// A model whose weights `source` makes up. `shape` is a folder with a config.json, whose weight files are not opened, or one of
/// `published_shapes()`. Throws FileError, ConfigError, UnsupportedError.
[[nodiscard]] std::unique_ptr<LanguageModel> made_up_model(const std::string& shape, std::shared_ptr<const ParameterSource> source,
                                                           Parameters::Options options = {});

/// Names of shapes that are known without a file: `bart-base`, `bert-base`, `gpt2-medium`, `roberta-large`, `t5-base` (T5 v1.1), ...
[[nodiscard]] std::vector<std::string> published_shapes();

}  // namespace preamble
