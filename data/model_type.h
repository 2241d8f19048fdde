// The architecture that a config.json names.
#pragma once

#include <optional>
#include <string>

#include "data/json_file.h"

namespace preamble {

/// `model_type`, or what the class in `architectures` tells where an old file has none, or `otherwise`. Throws FileError if all three are absent.
[[nodiscard]] std::string model_type_of(const JsonFile& config, std::optional<std::string> otherwise = std::nullopt);

}  // namespace preamble
