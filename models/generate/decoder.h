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

/// A model with a cache. The search calls `prefill` once and then `step` until every sequence is finished.
class Decoder {
 public:
  virtual ~Decoder() = default;

  /// V, the number of logits in a row.
  [[nodiscard]] virtual std::int64_t vocabulary() const = 0;

  /// Reads the initial ids of each sequence (encoder-decoder: the start token; decoder-only: the prompt, each of its own
  /// length and none empty) and returns the logits at their last position, [sequences, V]. Row i is sequence i.
  [[nodiscard]] virtual std::span<const float> prefill(std::span<const std::vector<std::int32_t>> prompts) = 0;

  /// Returns the logits behind each row's token, [rows, V]. Rows are ordered by sequence; a finished sequence has none,
  /// so there are at most `sequences * max(num_beams, num_return_sequences)`. All rows of a sequence have the same
  /// length; at their k-th step they grow from prompt + k - 1 to prompt + k tokens.
  [[nodiscard]] virtual std::span<const float> step(std::span<const StepRow> rows) = 0;

  // The spans that both return need to live until the next call only.
};

}  // namespace preamble
