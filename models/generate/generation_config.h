// The options of text generation, named and defaulted as in transformers.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace preamble {

/// When a beam search ends that has found `num_beams` finished sequences.
enum class EarlyStopping : std::uint8_t {
  no,     ///< when the best running beam, scored at its present length, is no better than the worst finished one
  yes,    ///< at once
  never,  ///< as `no`, but the running beam is scored at the length that is best for it
};

/// How to generate. Real-valued options are double because transformers computes them in Python's float.
struct GenerationConfig {
  /// Bound of the generated tokens, end token included. Takes precedence over `max_length`; 20 if neither is set.
  std::optional<int> max_new_tokens;
  /// Bound of prompt (or decoder start token) and generated tokens together.
  std::optional<int> max_length;
  /// No end token before this many generated ones. Takes precedence over `min_length`.
  std::optional<int> min_new_tokens;
  /// No end token while prompt and generated tokens together are fewer.
  int min_length = 0;

  /// 1: greedy or sampling; more: beam search, or beam sampling with `do_sample`.
  int num_beams = 1;
  /// Finished beams are ranked by sum of log-probabilities / (generated tokens)^length_penalty.
  double length_penalty = 1.0;
  EarlyStopping early_stopping = EarlyStopping::no;
  /// How many sequences to return per prompt: at most num_beams, any number when sampling with one beam, else 1.
  int num_return_sequences = 1;

  bool do_sample = false;
  /// Sampling only: divides the scores.
  double temperature = 1.0;
  /// Sampling only: keep the k best tokens, 0 for all. transformers' default is 50.
  int top_k = 50;
  /// Sampling only: keep the smallest set of best tokens whose probabilities add up to this.
  double top_p = 1.0;
  /// Sampling only: the same seed gives the same text, whatever else is in the batch.
  std::uint64_t seed = 0;

  /// Scores of tokens that occurred (prompt included) are divided by this if positive, else multiplied. 1 does nothing.
  double repetition_penalty = 1.0;
  /// No n-gram of this size may occur twice (prompt included). 0 allows all.
  int no_repeat_ngram_size = 0;
  /// Token sequences that must not be completed. One that is an end token alone is ignored.
  std::vector<std::vector<std::int32_t>> bad_words_ids;
  /// Tokens that are never generated.
  std::vector<std::int32_t> suppress_tokens;
  /// The token behind a prompt of length 1 (a decoder start token).
  std::optional<std::int32_t> forced_bos_token_id;
  /// The token at the last position that the length bound allows.
  std::optional<std::int32_t> forced_eos_token_id;

  /// Tokens that end a sequence; empty: only the length does.
  std::vector<std::int32_t> eos_token_ids;
  std::optional<std::int32_t> pad_token_id;
  std::optional<std::int32_t> bos_token_id;
  std::optional<std::int32_t> decoder_start_token_id;
};

/// Throws ConfigError that names the option, its value and what it may be. V is the number of logits.
void check(const GenerationConfig& config, std::int64_t vocabulary);

/// Most tokens that a sequence may have whose prompt has `prompt_length`: size caches by this.
[[nodiscard]] std::int64_t length_limit(const GenerationConfig& config, std::int64_t prompt_length);

/// Fewest tokens, prompt included, before an end token is allowed.
[[nodiscard]] std::int64_t length_floor(const GenerationConfig& config, std::int64_t prompt_length);

/// Candidates that a beam step keeps: with (number of end tokens + 1) * num_beams of them, `num_beams` can go on.
[[nodiscard]] std::int64_t candidate_count(const GenerationConfig& config);

/// The id with which transformers fills the ends of shorter sequences of a batch: the pad token, without one the first
/// end token. A beam search also fills with the end token where the pad id is 0 (T5), and with -1 without end tokens.
[[nodiscard]] std::int32_t fill_token(const GenerationConfig& config);

}  // namespace preamble
