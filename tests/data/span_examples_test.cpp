#include "data/span_examples.h"

#include <cmath>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/word_tokenizer.h"

namespace span_examples_test {

using namespace preamble;
using namespace preamble::testing::word;

namespace {

using Ids = std::vector<std::int32_t>;

/// "the cats sat. Ann lives in Rome." with one question.
SquadData data(const std::string& answer, std::size_t begin) {
  SquadData squad;
  squad.paragraphs.push_back({"T", "the cats sat. Ann lives in Rome."});
  squad.questions.push_back({"q", "who?", {{answer, begin}}, false, 0});
  return squad;
}

SpanLogits flat(const SpanWindow& window) {
  const std::vector<float> low(window.example.source.size(), -9.0F);
  return {low, low};
}

std::vector<SpanWindow> windows_of(const SquadData& squad, const SpanRules& rules) {
  TruncationReport report;
  auto windows = span_windows(squad, rules, *testing::word_tokenizer(), report);
  CHECK(report.sources_cut == 0);
  return windows;
}

}  // namespace

TEST_CASE("span_examples: a window holds question and text, and the answer's first and last token") {
  const auto windows = windows_of(data("Rome", 27), {});
  REQUIRE(windows.size() == 1);
  CHECK(windows[0].example.source == Ids{cls, who, question, sep, the, cat, s, sat, dot, ann, lives, in, rome, dot, sep});
  CHECK(windows[0].first == 4);
  CHECK(windows[0].offsets.size() == 10);
  CHECK(windows[0].offsets[2] == CharRange{7, 8});
  CHECK(windows[0].example.begin == 12);
  CHECK(windows[0].example.end == 12);
  const auto longer = windows_of(data("Ann lives", 14), {});
  CHECK(longer[0].example.begin == 9);
  CHECK(longer[0].example.end == 10);
}

TEST_CASE("span_examples: windows overlap, and one without the whole answer points at [CLS]") {
  const auto windows = windows_of(data("Ann lives", 14), {.max_length = 11, .doc_stride = 2});
  REQUIRE(windows.size() == 2);
  CHECK(windows[0].example.source == Ids{cls, who, question, sep, the, cat, s, sat, dot, ann, sep});
  CHECK(windows[0].example.begin == 0);
  CHECK(windows[0].example.end == 0);
  CHECK(windows[1].example.source == Ids{cls, who, question, sep, dot, ann, lives, in, rome, dot, sep});
  CHECK(windows[1].example.begin == 5);
  CHECK(windows[1].example.end == 6);
}

TEST_CASE("span_examples: offsets are bytes of the text") {
  SquadData squad = data("Rome", 0);
  squad.paragraphs[0].context = "\xC3\xA9 \xE2\x82\xAC Rome";
  squad.questions[0].answers[0].begin = 7;
  const auto windows = windows_of(squad, {});
  CHECK(windows[0].offsets.back() == CharRange{7, 11});
  CHECK(windows[0].example.begin == 6);
}

TEST_CASE("span_answers: the best pair of all windows wins, and reversed, long and outside pairs don't count") {
  const SquadData squad = data("Rome", 27);
  const auto windows = windows_of(squad, {.max_length = 11, .doc_stride = 2});
  std::vector<SpanLogits> logits = {flat(windows[0]), flat(windows[1])};
  logits[0].start[2] = 50;  // in the question
  logits[0].start[5] = 3;   // cat
  logits[0].end[6] = 1;     // s
  logits[0].end[4] = 20;    // in front of it
  logits[1].start[5] = 4;   // ann
  logits[1].end[6] = 2;     // lives
  auto answers = span_answers(squad, windows, logits, {.n_best_size = 3});
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].text == "Ann lives");
  REQUIRE(answers[0].candidates.size() == 3);
  CHECK(answers[0].candidates[1].text == "cats");
  CHECK(answers[0].candidates[0].score == 6);
  const double ratio = answers[0].candidates[1].probability / answers[0].candidates[0].probability;
  CHECK(ratio == doctest::Approx(std::exp(-2.0)));
  CHECK(predictions_of(squad, answers).at("q") == "Ann lives");
  answers = span_answers(squad, windows, logits, {.n_best_size = 3, .max_answer_length = 1});
  CHECK(answers[0].text != "Ann lives");
}

TEST_CASE("span_answers: no answer has the smallest score of [CLS] and wins by more than the threshold") {
  const SquadData squad = data("Rome", 27);
  const auto windows = windows_of(squad, {.max_length = 11, .doc_stride = 2});
  std::vector<SpanLogits> logits = {flat(windows[0]), flat(windows[1])};
  logits[1].start[5] = 4;
  logits[1].end[6] = 2;
  logits[0].start[0] = logits[0].end[0] = 5;
  logits[1].start[0] = logits[1].end[0] = 4;
  AnswerRules rules;
  CHECK(span_answers(squad, windows, logits, rules)[0].text == "Ann lives");
  rules.version_2_with_negative = true;
  const auto none = span_answers(squad, windows, logits, rules);
  CHECK(none[0].text.empty());
  CHECK(none[0].null_score_diff == 2);
  CHECK(none[0].candidates[0].text.empty());
  CHECK(none[0].candidates[1].text == "Ann lives");
  rules.null_score_diff_threshold = 2;
  CHECK(span_answers(squad, windows, logits, rules)[0].text == "Ann lives");
}

TEST_CASE("span_answers: logits must fit the windows") {
  const SquadData squad = data("Rome", 27);
  const auto windows = windows_of(squad, {});
  CHECK_THROWS_AS((void)span_answers(squad, windows, {}, {}), ShapeError);
  CHECK_THROWS_AS((void)span_answers(squad, windows, {{{1.0F}, {1.0F}}}, {}), ShapeError);
}

TEST_CASE("span_examples: a question that leaves no room for the stride is cut to half of the window and counted") {
  SquadData squad = data("Rome", 27);
  squad.questions.front().question = "cat in rome cat in rome cat in rome";
  TruncationReport report;
  const auto windows = span_windows(squad, {.max_length = 13, .doc_stride = 2}, *testing::word_tokenizer(), report);
  CHECK(report.sources_cut == 1);
  CHECK(report.source_tokens_cut == 4);
  for (const auto& window : windows) {
    CHECK(window.example.source.size() <= 13);
    CHECK(window.first == 7);
  }
}

TEST_CASE("span_examples: an answer without a place is in no window") {
  SquadData squad = data("Rome", 27);
  squad.questions.front().answers.front().begin.reset();
  for (const auto& window : windows_of(squad, {})) CHECK(window.example.end == 0);
}

}  // namespace span_examples_test
