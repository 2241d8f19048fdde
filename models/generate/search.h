// The loops over decoding steps behind `generate`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/random.h"
#include "models/generate/decoder.h"
#include "models/generate/generation_config.h"

namespace preamble {

/// What both loops are given. Options and prompts are checked.
struct SearchInput {
  const GenerationConfig& config;
  std::span<const std::vector<std::int32_t>> prompts;
  std::span<const std::uint64_t> streams;

  /// The random numbers of sample `sample` of prompt `prompt`.
  [[nodiscard]] Random random(std::size_t prompt, std::size_t sample) const;
};

/// One beam: the best token at each step, or a drawn one.
[[nodiscard]] std::vector<std::vector<std::int32_t>> token_search(Decoder& decoder, const SearchInput& input);

/// Several beams.
[[nodiscard]] std::vector<std::vector<std::int32_t>> beam_search(Decoder& decoder, const SearchInput& input);

}  // namespace preamble
