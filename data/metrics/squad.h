// Exact match and F1 of answers, as the evaluation scripts of SQuAD and T5 compute them.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/squad_json.h"

namespace preamble::metrics {

/// Whose rules hold where the scripts differ.
///   v1  a question without a prediction counts 0; no token in common is F1 0, two empty texts included (T5 does the same)
///   v2  a question without a prediction is left out of the mean; two empty texts have F1 1; gold answers that normalise to
///       nothing are left out, and a question without any has the empty answer. A prediction for "no answer" is the empty text.
enum class SquadRules : std::uint8_t { v1, v2 };

/// Lower case, without ASCII punctuation, without the words a, an and the, white space as single spaces.
[[nodiscard]] std::string normalize_answer(std::string_view text);

/// 1 if both texts are equal when normalised, else 0.
[[nodiscard]] double exact_match(std::string_view prediction, std::string_view gold);

/// F1 = 2 P R / (P + R) of the bags of tokens of the normalised texts.
[[nodiscard]] double token_f1(std::string_view prediction, std::string_view gold, SquadRules rules = SquadRules::v1);

/// Scores of an answer (0..1) or of a data set (0..100, as the scripts print).
struct SquadScores {
  double exact = 0.0;
  double f1 = 0.0;
  std::int64_t questions = 0;  ///< in the mean
  std::int64_t missing = 0;    ///< without a prediction
};

/// Best exact match and best F1, each over all gold answers. Throws ConfigError if there is none, but under v2.
[[nodiscard]] SquadScores best_over_answers(std::string_view prediction, std::span<const std::string> gold, SquadRules rules);

/// Means over the questions. Throws ConfigError if no question is left for the mean.
[[nodiscard]] SquadScores squad_scores(const std::vector<SquadQuestion>& questions, const std::map<std::string, std::string>& predictions,
                                       SquadRules rules);

}  // namespace preamble::metrics
