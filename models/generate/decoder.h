// What a search drives: a language model that continues token sequences, seen without its tensors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace preamble {

/// One row of a decoding step: `token` is appended to what row `parent` of the previous call holds. Several rows may
/// continue the same parent (beams that branch) and a parent that nobody names is given up.
struct StepRow {
  std::int32_t parent;
  std::int32_t token;
  /// Which of the sequences given to `prefill` the row belongs to.
  std::int32_t sequence;
};

/// What a search reads of each row of logits.
struct ScoreRequest {
  /// Tokens with the best scores, 0 < best <= V; 0: all logits of the row.
  std::int64_t best = 0;
  /// Most tokens of a row whose scores are asked for besides. 0 if whole rows are read.
  std::int64_t asked = 0;
  /// A token's score is its log-probability; else its logit.
  bool log_probabilities = false;

  bool operator==(const ScoreRequest&) const = default;
};

/// What a call asks for in each row that it returns; both may be empty.
struct ScoreQueries {
  /// [rows, A], A = `ScoreRequest::asked`: tokens whose scores are returned apart from the best ones; negative: none.
  std::span<const std::int32_t> asked;
  /// [rows], with log-probabilities: what is added to the scores of a row before the best are chosen. Empty: nothing.
  std::span<const float> offsets;
};

/// What a call returns; what the request does not name is empty. The spans live until the next call.
struct ScoreRows {
  /// [rows, V], with `best` = 0.
  std::span<const float> logits;
  /// [rows]: the largest logit of a row, NaN if one of its logits is. For the best tokens and for log-probabilities.
  std::span<const float> largest;
  /// [rows]: log Σ_v exp(logits[v] - largest). For log-probabilities of whole rows.
  std::span<const float> log_sum;
  /// [rows, best]: scores, with the row's offset, of tokens that are not asked for, best first, of equal ones the smaller token first.
  std::span<const float> best_scores;
  /// [rows, best]: their tokens; -1 where a row has no more.
  std::span<const std::int32_t> best_tokens;
  /// [rows, A]: scores of the tokens that were asked for, without the offset.
  std::span<const float> asked_scores;
};

/// A model with a cache. The search calls `prepare` and `prefill` once and then `step` until every sequence is finished.
class Decoder {
 public:
  virtual ~Decoder() = default;

  /// V, the number of logits in a row.
  [[nodiscard]] virtual std::int64_t vocabulary() const = 0;

  /// What the calls from the next `prefill` on return: what is wanted, with at least as many asked tokens. Queries and results have the
  /// sizes of the request that it returns. Without a call, whole rows of logits.
  [[nodiscard]] virtual ScoreRequest prepare(const ScoreRequest& wanted) = 0;

  /// Reads the initial ids of each sequence (encoder-decoder: the start token; decoder-only: the prompt, each of its own
  /// length and none empty) and returns the scores at their last position. Row i is sequence i.
  [[nodiscard]] virtual ScoreRows prefill(std::span<const std::vector<std::int32_t>> prompts, const ScoreQueries& queries) = 0;

  /// Returns the scores behind each row's token. Rows are ordered by sequence; a finished sequence has none,
  /// so there are at most `sequences * max(num_beams, num_return_sequences)`. All rows of a sequence have the same
  /// length; at their k-th step they grow from prompt + k - 1 to prompt + k tokens.
  [[nodiscard]] virtual ScoreRows step(std::span<const StepRow> rows, const ScoreQueries& queries) = 0;
};

}  // namespace preamble
