// The baseline that trains the upper layers alone (Li and Liang 2021: FT-top2).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "models/parameters.h"

namespace preamble {

/// Freezes everything but the last `layers` layers of the stack that makes the output (the decoder, where there are two), the norm behind
/// them, and a head that is not the embedding: what lies below has no gradient then. `names`: the parameters of the checkpoint, whose
/// numbers say the layers. Throws ConfigError unless there are so many layers, UnsupportedError for names without numbers.
[[nodiscard]] Freeze freeze_below_top(std::span<const std::string> names, std::int64_t layers);

}  // namespace preamble
