// Changing a row of scores before a token is chosen from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "models/generate/generation_config.h"
#include "models/generate/scores.h"

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

/// One rule. Scores are logits when one beam is searched and log-probabilities when several are, as in transformers.
///
/// A rule that changes single tokens names them beforehand, so that a search reads no more of a row than these and the best others. Rules
/// on the distribution that is drawn from (`warpers.h`) may change any token: they are for rows that list all.
class ScoreProcessor {
 public:
  virtual ~ScoreProcessor() = default;
  /// Safe to call from several threads.
  virtual void apply(const History& history, Scores& scores) const = 0;
  /// Appends the tokens whose scores `apply` may change behind this history, other than by `Scores::ban_all`; one may occur twice.
  virtual void add_changed(const History& /*history*/, std::vector<std::int32_t>& /*tokens*/) const {}
  /// Most different tokens that `add_changed` appends for a history of up to `length` tokens.
  [[nodiscard]] virtual std::size_t most_changed(std::size_t /*length*/) const { return 0; }
};

/// Rules in the order in which they are applied.
using ScoreProcessors = std::vector<std::unique_ptr<const ScoreProcessor>>;

/// The rules that `config` asks for, in transformers' order: repetition penalty, n-grams, bad words, minimum length, forced first
/// token, forced last token, suppressed tokens and, when sampling, temperature, top-k, top-p.
[[nodiscard]] ScoreProcessors make_processors(const GenerationConfig& config);

/// Applies all of them.
void apply(const ScoreProcessors& processors, const History& history, Scores& scores);

/// The tokens that they may change, ascending, each once. `tokens` is overwritten.
void find_changed(const ScoreProcessors& processors, const History& history, std::vector<std::int32_t>& tokens);

/// Most tokens that `find_changed` finds for histories of up to `length` tokens of a vocabulary.
[[nodiscard]] std::int64_t most_changed(const ScoreProcessors& processors, std::size_t length, std::int64_t vocabulary);

}  // namespace preamble
