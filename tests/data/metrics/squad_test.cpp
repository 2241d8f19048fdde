#include "data/metrics/squad.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace squad_test {

using namespace preamble;
using namespace preamble::metrics;
using doctest::Approx;

namespace {

SquadQuestion question(std::string id, const std::vector<std::string>& answers) {
  SquadQuestion q;
  q.id = std::move(id);
  for (const std::string& answer : answers) q.answers.push_back({answer, 0});
  return q;
}

}  // namespace

TEST_CASE("squad: normalises as the script does") {
  CHECK(normalize_answer("The  Quick, (brown) fox's a-tail!") == "quick brown foxs atail");
  CHECK(normalize_answer("a_the_x THE") == "athex");
  CHECK(normalize_answer("the1 1the the") == "the1 1the");
  CHECK(normalize_answer("a.n apple the.a") == "apple thea");
  CHECK(normalize_answer("..., !").empty());
  CHECK(normalize_answer("").empty());
}

TEST_CASE("squad: case, words and white space are those of Unicode") {
  CHECK(normalize_answer("an\u2014the\u00A0A\u3000b") == "\u2014 b");
  CHECK(normalize_answer("\u00C4rger \u00D6L") == "\u00E4rger \u00F6l");
  CHECK(normalize_answer("a\u0301 x") == "\u0301 x");  // a combining accent is no letter, so the article before it goes
}

TEST_CASE("squad: exact match compares normalised texts") {
  CHECK(exact_match("The Cat.", "cat") == 1.0);
  CHECK(exact_match("cats", "cat") == 0.0);
  CHECK(exact_match("", "the") == 1.0);
}

TEST_CASE("squad: F1 counts shared tokens with multiplicity") {
  CHECK(token_f1("the cat sat on a mat", "cat on the mat mat") == Approx(0.75).epsilon(1e-12));
  CHECK(token_f1("x x x", "x") == Approx(0.5).epsilon(1e-12));
  CHECK(token_f1("dog", "cat") == 0.0);
}

TEST_CASE("squad: two empty texts are equal under version 2 alone") {
  CHECK(token_f1("", "the", SquadRules::v1) == 0.0);
  CHECK(token_f1("", "the", SquadRules::v2) == 1.0);
  CHECK(token_f1("x", "", SquadRules::v2) == 0.0);
}

TEST_CASE("squad: takes the best answer for each score apart") {
  const std::vector<std::string> gold = {"red", "a big red car"};
  const SquadScores best = best_over_answers("big red", gold, SquadRules::v1);
  CHECK(best.exact == 0.0);
  CHECK(best.f1 == Approx(0.8).epsilon(1e-12));
  CHECK(best_over_answers("Red!", gold, SquadRules::v1).exact == 1.0);
}

TEST_CASE("squad: without gold answers only version 2 has a score") {
  CHECK_THROWS_WITH_AS((void)best_over_answers("x", {}, SquadRules::v1), "SQuAD scores: no gold answer; wanted at least one", ConfigError);
  CHECK(best_over_answers("", {}, SquadRules::v2).f1 == 1.0);
  CHECK(best_over_answers("x", {}, SquadRules::v2).exact == 0.0);
  const std::vector<std::string> articles = {"the", "cat"};
  CHECK(best_over_answers("", articles, SquadRules::v2).exact == 0.0);
}

TEST_CASE("squad: a question without a prediction counts 0 in version 1 and not at all in version 2") {
  const std::vector<SquadQuestion> questions = {question("1", {"cat"}), question("2", {"dog"}), question("3", {"red fox"})};
  const std::map<std::string, std::string> predictions = {{"1", "cat"}, {"3", "fox"}, {"unknown", "x"}};
  const SquadScores v1 = squad_scores(questions, predictions, SquadRules::v1);
  CHECK(v1.questions == 3);
  CHECK(v1.missing == 1);
  CHECK(v1.exact == Approx(100.0 / 3.0).epsilon(1e-12));
  CHECK(v1.f1 == Approx(100.0 * (1.0 + 2.0 / 3.0) / 3.0).epsilon(1e-12));
  const SquadScores v2 = squad_scores(questions, predictions, SquadRules::v2);
  CHECK(v2.questions == 2);
  CHECK(v2.missing == 1);
  CHECK(v2.exact == Approx(50.0).epsilon(1e-12));
}

TEST_CASE("squad: nothing to score is an error") {
  CHECK_THROWS_WITH_AS((void)squad_scores({question("1", {"a"})}, {}, SquadRules::v2),
                       "SQuAD scores: no question with a prediction; wanted at least one", ConfigError);
}

}  // namespace squad_test
