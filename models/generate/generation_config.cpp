#include "models/generate/generation_config.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr int kDefaultNewTokens = 20;

void check_token(std::string_view option, std::int32_t token, std::int64_t vocabulary) {
  require<ConfigError>(token >= 0 && token < vocabulary, "{}: {}; wanted a token id in [0, {})", option, token, vocabulary);
}

void check_forced(std::string_view option, std::optional<std::int32_t> token, const GenerationConfig& config, std::int64_t vocabulary) {
  if (!token) return;
  check_token(option, *token, vocabulary);
  const auto& suppressed = config.suppress_tokens;
  // nothing would be left to generate
  require<ConfigError>(std::find(suppressed.begin(), suppressed.end(), *token) == suppressed.end(),
                       "{}: {}, which is also in suppress_tokens; wanted it in one of them", option, *token);
}

void check_tokens(const GenerationConfig& config, std::int64_t vocabulary) {
  for (const auto token : config.eos_token_ids) check_token("eos_token_id", token, vocabulary);
  for (const auto token : config.suppress_tokens) check_token("suppress_tokens", token, vocabulary);
  for (const auto& word : config.bad_words_ids) {
    require<ConfigError>(!word.empty(), "bad_words_ids: an empty sequence; wanted at least one token in each");
    for (const auto token : word) check_token("bad_words_ids", token, vocabulary);
  }
  check_forced("forced_bos_token_id", config.forced_bos_token_id, config, vocabulary);
  check_forced("forced_eos_token_id", config.forced_eos_token_id, config, vocabulary);
}

void check_lengths(const GenerationConfig& config) {
  if (config.max_new_tokens) {
    require<ConfigError>(*config.max_new_tokens > 0, "max_new_tokens: {}; wanted at least 1", *config.max_new_tokens);
  }
  if (config.max_length) require<ConfigError>(*config.max_length > 0, "max_length: {}; wanted at least 1", *config.max_length);
  if (config.min_new_tokens) {
    require<ConfigError>(*config.min_new_tokens >= 0, "min_new_tokens: {}; wanted at least 0", *config.min_new_tokens);
  }
  require<ConfigError>(config.min_length >= 0, "min_length: {}; wanted at least 0", config.min_length);
  require<ConfigError>(config.no_repeat_ngram_size >= 0, "no_repeat_ngram_size: {}; wanted at least 0", config.no_repeat_ngram_size);
}

void check_search(const GenerationConfig& config, std::int64_t vocabulary) {
  const int beams = config.num_beams;
  const int returned = config.num_return_sequences;
  require<ConfigError>(beams >= 1, "num_beams: {}; wanted at least 1", beams);
  require<ConfigError>(returned >= 1, "num_return_sequences: {}; wanted at least 1", returned);
  require<ConfigError>(beams == 1 || returned <= beams, "num_return_sequences: {}; wanted at most num_beams, {}", returned, beams);
  require<ConfigError>(beams > 1 || returned == 1 || config.do_sample, "num_return_sequences: {}; wanted 1 for a greedy search", returned);
  require<ConfigError>(beams == 1 || candidate_count(config) <= beams * vocabulary,
                       "num_beams: {} with {} end tokens and {} tokens; wanted more tokens than end tokens", beams,
                       config.eos_token_ids.size(), vocabulary);
  require<ConfigError>(std::isfinite(config.length_penalty), "length_penalty: {}; wanted a finite number", config.length_penalty);
  require<ConfigError>(config.repetition_penalty > 0 && std::isfinite(config.repetition_penalty),
                       "repetition_penalty: {}; wanted a number above 0", config.repetition_penalty);
}

void check_sampling(const GenerationConfig& config) {
  require<ConfigError>(config.temperature > 0 && std::isfinite(config.temperature),
                       "temperature: {}; wanted a number above 0 (greedy search: do_sample off)", config.temperature);
  require<ConfigError>(config.top_k >= 0, "top_k: {}; wanted at least 0", config.top_k);
  require<ConfigError>(config.top_p >= 0 && config.top_p <= 1, "top_p: {}; wanted a number in [0, 1]", config.top_p);
}

}  // namespace

void check(const GenerationConfig& config, std::int64_t vocabulary) {
  check_lengths(config);
  check_search(config, vocabulary);
  if (config.do_sample) check_sampling(config);
  check_tokens(config, vocabulary);
}

std::int64_t length_limit(const GenerationConfig& config, std::int64_t prompt_length) {
  if (config.max_new_tokens || !config.max_length) return prompt_length + config.max_new_tokens.value_or(kDefaultNewTokens);
  return *config.max_length;
}

std::int64_t length_floor(const GenerationConfig& config, std::int64_t prompt_length) {
  return config.min_new_tokens ? prompt_length + *config.min_new_tokens : config.min_length;
}

std::int64_t candidate_count(const GenerationConfig& config) {
  return config.num_beams * std::max<std::int64_t>(2, 1 + static_cast<std::int64_t>(config.eos_token_ids.size()));
}

std::int32_t fill_token(const GenerationConfig& config) {
  const std::int32_t none = -1;
  if (config.eos_token_ids.empty()) return config.num_beams > 1 ? none : config.pad_token_id.value_or(none);
  const std::int32_t pad = config.pad_token_id.value_or(config.eos_token_ids.front());
  return config.num_beams > 1 && pad == 0 ? config.eos_token_ids.front() : pad;
}

}  // namespace preamble
