#include "peft/tasks/candidates.h"

#include <algorithm>
#include <cstddef>

#include "data/metrics/squad.h"
#include "engine/core/error.h"

namespace preamble {

std::map<std::string, double> candidate_scores(std::span<const RivalAnswer> candidates, std::span<const float> scores,
                                               std::span<const std::int32_t> judged) {
  require<ShapeError>(candidates.size() == scores.size() && scores.size() == judged.size(),
                      "candidates: {}, with {} scores and {} judgements; wanted as many", candidates.size(), scores.size(), judged.size());
  require<ConfigError>(!candidates.empty(), "candidates: none; wanted one at least");
  double questions = 0, chosen = 0, whole = 0, exact = 0, f1 = 0;
  for (std::size_t begin = 0, end = 0; begin < candidates.size(); begin = end) {
    std::size_t top = begin;
    bool all_right = true;
    for (end = begin; end < candidates.size() && candidates[end].group == candidates[begin].group; ++end) {
      if (scores[end] >= scores[top]) top = end;
      all_right = all_right && (judged[end] == 1) == candidates[end].right;
    }
    double best_exact = 0, best_f1 = 0;
    for (std::size_t c = begin; c < end; ++c) {
      if (!candidates[c].right) continue;
      best_exact = std::max(best_exact, metrics::exact_match(candidates[top].text, candidates[c].text));
      best_f1 = std::max(best_f1, metrics::token_f1(candidates[top].text, candidates[c].text));
    }
    questions += 1;
    chosen += candidates[top].right ? 1 : 0;
    whole += all_right ? 1 : 0;
    exact += best_exact;
    f1 += best_f1;
  }
  return {{"choice_accuracy", chosen / questions},
          {"exact_match", whole / questions},
          {"answer_exact", exact / questions},
          {"answer_f1", f1 / questions}};
}

}  // namespace preamble
