// Several members of an ensemble as one decoder: a search sees one distribution.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/generate/decoder.h"

namespace preamble {

/// How members' distributions over the vocabulary become one.
///   probabilities  p[v] = Σ_m p_m[v] / M
///   logits         the mean of the logits, which is, but for a constant, the mean of the log-probabilities
enum class Combination : std::uint8_t { probabilities, logits };

/// Rows 0 .. M-1 of the inner decoder are the members of row 0, and so on: the caller gives it M copies of each source, with the slots of
/// the members. All members continue the same tokens, so that a token is chosen by all of them together.
class EnsembleDecoder final : public Decoder {
 public:
  /// `inner` must outlive it. Throws ConfigError for fewer than one member.
  EnsembleDecoder(Decoder& inner, std::int32_t members, Combination combination);

  [[nodiscard]] std::int64_t vocabulary() const override { return inner_.vocabulary(); }
  /// Whole rows of logits, whatever is wanted: those of the members must be combined first.
  [[nodiscard]] ScoreRequest prepare(const ScoreRequest& wanted) override;
  [[nodiscard]] ScoreRows prefill(std::span<const std::vector<std::int32_t>> prompts, const ScoreQueries& queries) override;
  [[nodiscard]] ScoreRows step(std::span<const StepRow> rows, const ScoreQueries& queries) override;

 private:
  /// The rows of all members as rows of the ensemble.
  [[nodiscard]] ScoreRows combined(const ScoreRows& scores, std::size_t rows);

  Decoder& inner_;
  std::size_t members_;
  Combination combination_;
  /// Where the inner decoder has the rows of the last step, by row and member; empty: in that order.
  std::vector<std::int32_t> order_of_;
  std::vector<float> logits_;          ///< [rows, V]
  std::vector<float> largest_, sums_;  ///< [rows]
};

/// One row of logits out of `rows.size() / width` of them: log Σ_m softmax(rows_m) / M, or the mean of the logits. `result` is `width` long.
void combine_logits(std::span<const float> rows, Combination combination, std::span<float> result);

}  // namespace preamble
