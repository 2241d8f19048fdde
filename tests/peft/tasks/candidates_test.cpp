#include "peft/tasks/candidates.h"

#include <array>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace candidates_test {

using namespace preamble;

TEST_CASE("candidates: the highest of each question is chosen, and the last of equal ones") {
  const std::vector<RivalAnswer> candidates = {{0, "Ann Lee", true}, {0, "Bob", false}, {1, "x", false}, {1, "y", true}};
  const std::array scores = {0.5F, 0.1F, 2.0F, 2.0F};
  const std::array judged = {1, 0, 1, 1};
  const auto metrics = candidate_scores(candidates, scores, judged);
  CHECK(metrics.at("choice_accuracy") == 1);
  CHECK(metrics.at("exact_match") == 0.5);
  CHECK(metrics.at("answer_exact") == 1);
}

TEST_CASE("candidates: a wrong answer has the best token F1 over the right ones") {
  const std::vector<RivalAnswer> candidates = {{7, "Ann Lee", true}, {7, "Lee", true}, {7, "Lee Jones", false}};
  const auto metrics = candidate_scores(candidates, std::array{0.0F, 0.0F, 1.0F}, std::array{0, 0, 1});
  CHECK(metrics.at("choice_accuracy") == 0);
  CHECK(metrics.at("answer_exact") == 0);
  CHECK(metrics.at("answer_f1") == doctest::Approx(2.0 / 3));
  CHECK_THROWS_AS((void)candidate_scores({}, {}, {}), ConfigError);
  CHECK_THROWS_AS((void)candidate_scores(candidates, std::array{0.0F}, std::array{0}), ShapeError);
}

}  // namespace candidates_test
