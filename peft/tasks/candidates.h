// Rows that compete as answers of one question: COPA, MultiRC, ReCoRD.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace preamble {

struct RivalAnswer {
  std::int64_t group = 0;  ///< the question; candidates of one stand one behind the other
  std::string text;
  bool right = false;
};

/// Scores over questions from a score for each candidate and whether it is taken for right:
///   choice_accuracy  the highest candidate is right
///   exact_match      all candidates are judged right (MultiRC's EM)
///   answer_exact, answer_f1  of the highest candidate's text against the right ones, as SQuAD, the best of them (ReCoRD)
/// Of equal scores the last candidate wins. Throws ShapeError if the three differ in number, ConfigError for none.
[[nodiscard]] std::map<std::string, double> candidate_scores(std::span<const RivalAnswer> candidates, std::span<const float> scores,
                                                             std::span<const std::int32_t> judged);

}  // namespace preamble
