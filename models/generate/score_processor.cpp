#include "models/generate/score_processor.h"

#include <algorithm>

#include "models/generate/constraints.h"
#include "models/generate/warpers.h"

namespace preamble {
namespace {

void add_constraints(const GenerationConfig& config, ScoreProcessors& all) {
  if (config.repetition_penalty != 1.0) all.push_back(std::make_unique<RepetitionPenalty>(config.repetition_penalty));
  if (config.no_repeat_ngram_size > 0) all.push_back(std::make_unique<NoRepeatNgram>(config.no_repeat_ngram_size));
  if (!config.bad_words_ids.empty()) all.push_back(std::make_unique<BadWords>(config.bad_words_ids, config.eos_token_ids));
  if (!config.eos_token_ids.empty() && length_floor(config, 0) > 0) all.push_back(std::make_unique<MinimumLength>(config.eos_token_ids));
  if (config.forced_bos_token_id) all.push_back(std::make_unique<ForcedFirstToken>(*config.forced_bos_token_id));
  if (config.forced_eos_token_id) all.push_back(std::make_unique<ForcedLastToken>(*config.forced_eos_token_id));
  if (!config.suppress_tokens.empty()) all.push_back(std::make_unique<SuppressTokens>(config.suppress_tokens));
}

void add_warpers(const GenerationConfig& config, ScoreProcessors& all) {
  // a beam must keep one token that is no end token, to go on
  const std::size_t ends = config.eos_token_ids.empty() ? 1 : config.eos_token_ids.size();
  const std::size_t keep = config.num_beams > 1 ? ends + 1 : 1;
  if (config.temperature != 1.0) all.push_back(std::make_unique<TemperatureWarper>(config.temperature));
  if (config.top_k > 0) all.push_back(std::make_unique<TopKWarper>(static_cast<std::size_t>(config.top_k), keep));
  if (config.top_p < 1.0) all.push_back(std::make_unique<TopPWarper>(config.top_p, keep));
}

}  // namespace

ScoreProcessors make_processors(const GenerationConfig& config) {
  ScoreProcessors all;
  add_constraints(config, all);
  if (config.do_sample) add_warpers(config, all);
  return all;
}

void apply(const ScoreProcessors& processors, const History& history, Scores& scores) {
  for (const auto& processor : processors) processor->apply(history, scores);
}

void find_changed(const ScoreProcessors& processors, const History& history, std::vector<std::int32_t>& tokens) {
  tokens.clear();
  for (const auto& processor : processors) processor->add_changed(history, tokens);
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
}

std::int64_t most_changed(const ScoreProcessors& processors, std::size_t length, std::int64_t vocabulary) {
  std::size_t most = 0;
  for (const auto& processor : processors) most += processor->most_changed(length);
  return std::min(static_cast<std::int64_t>(most), vocabulary);
}

}  // namespace preamble
