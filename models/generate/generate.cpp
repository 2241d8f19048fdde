#include "models/generate/generate.h"

#include <cstddef>
#include <numeric>

#include "engine/core/error.h"
#include "models/generate/search.h"

namespace preamble {
namespace {

void check_prompts(std::span<const std::vector<std::int32_t>> prompts, const GenerationConfig& config, std::int64_t vocabulary) {
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto length = static_cast<std::int64_t>(prompts[i].size());
    require<ConfigError>(length > 0, "generate: prompt {} is empty; wanted at least one token", i);
    require<ConfigError>(length < length_limit(config, length), "generate: prompt {} has {} tokens; wanted fewer than max_length, {}", i,
                         length, length_limit(config, length));
    for (const auto id : prompts[i]) {
      require<ConfigError>(id >= 0 && id < vocabulary, "generate: prompt {} holds id {}; wanted ids in [0, {})", i, id, vocabulary);
    }
  }
}

}  // namespace

Random SearchInput::random(std::size_t prompt, std::size_t sample) const {
  return Random(config.seed, streams[prompt] ^ (static_cast<std::uint64_t>(sample) << 40U));
}

std::vector<std::vector<std::int32_t>> generate(Decoder& decoder, const GenerationConfig& config,
                                                std::span<const std::vector<std::int32_t>> prompts,
                                                std::span<const std::uint64_t> streams) {
  check(config, decoder.vocabulary());
  check_prompts(prompts, config, decoder.vocabulary());
  require<ConfigError>(streams.empty() || streams.size() == prompts.size(), "generate: {} streams for {} prompts; wanted as many",
                       streams.size(), prompts.size());
  if (prompts.empty()) return {};
  std::vector<std::uint64_t> numbered(prompts.size());
  std::iota(numbered.begin(), numbered.end(), std::uint64_t{0});
  const SearchInput input{config, prompts, streams.empty() ? std::span<const std::uint64_t>(numbered) : streams};
  return config.num_beams == 1 ? token_search(decoder, input) : beam_search(decoder, input);
}

}  // namespace preamble
