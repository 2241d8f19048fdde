// Whether a checkpoint's head is its embedding.
#pragma once

#include <string_view>

#include "models/parameters.h"

namespace preamble {

/// True if `head` is there and differs from `embedding`: transformers also saves copies of tied tensors.
[[nodiscard]] bool has_own_head(const ParameterSource& source, std::string_view head, std::string_view embedding);

}  // namespace preamble
