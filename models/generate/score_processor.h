// Changing a row of scores before a token is chosen from it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "models/generate/generation_config.h"

namespace preamble {

/// What a processor may know of the row whose scores it changes.
struct History {
  /// Prompt and generated tokens.
  std::span<const std::int32_t> ids;
  /// The length, prompt included, below which no end token may come.
  std::int64_t length_floor;
  /// The length, prompt included, at which generation ends.
  std::int64_t length_limit;
};

/// One rule. `scores` [V] are logits when one beam is searched and log-probabilities when several are, as in transformers.
class ScoreProcessor {
 public:
  virtual ~ScoreProcessor() = default;
  /// Safe to call from several threads.
  virtual void apply(const History& history, std::span<float> scores) const = 0;
};

/// Rules in the order in which they are applied.
using ScoreProcessors = std::vector<std::unique_ptr<const ScoreProcessor>>;

/// The rules that `config` asks for, in transformers' order: repetition penalty, n-grams, bad words, minimum length, forced first
/// token, forced last token, suppressed tokens and, when sampling, temperature, top-k, top-p.
[[nodiscard]] ScoreProcessors make_processors(const GenerationConfig& config);

/// Applies all of them.
void apply(const ScoreProcessors& processors, const History& history, std::span<float> scores);

}  // namespace preamble
