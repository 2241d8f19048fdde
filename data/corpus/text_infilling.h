// BART's noise (Lewis et al. 2020, section 2.2).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/random.h"

namespace preamble {

struct InfillingRules {
  double density = 0.3;        ///< share of the tokens that are masked
  double mean_length = 3;      ///< λ of the spans' lengths
  double random_rate = 0;      ///< share of the masks that are a random token instead
  std::int32_t mask = 0;       ///< id of the mask token
};

/// round(density·n) tokens (rounded up) in spans whose lengths are Poisson(λ) numbers, the last one cut, each replaced by one mask; a span of
/// length 0 is a mask more. Between two masks there is a token. `words`: what a random token is drawn from.
[[nodiscard]] std::vector<std::int32_t> infill(std::span<const std::int32_t> tokens, const InfillingRules& rules,
                                               std::span<const std::int32_t> words, Random& random);

/// The sentences in random order. `ends(id)`: whether a token ends a sentence, as `.` does; what is left at the end is one, too.
[[nodiscard]] std::vector<std::int32_t> permute_sentences(std::span<const std::int32_t> tokens, const std::vector<bool>& ends, Random& random);

}  // namespace preamble
