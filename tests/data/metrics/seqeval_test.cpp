#include "data/metrics/seqeval.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/file.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_file.h"

namespace seqeval_test {

using namespace preamble;
using namespace preamble::metrics;
using doctest::Approx;

TEST_CASE("seqeval: prints the report of conlleval") {
  const SequenceScores scores = score_sequences(read_tag_pairs(testing::golden("metrics/chunk_tags.txt")));
  CHECK(conlleval_report(scores) == read_text(testing::golden("metrics/chunk_report.txt")));
  CHECK(scores.micro.f1() == Approx(0.743487).epsilon(1e-6));
}

TEST_CASE("seqeval: entities count when sentence, type and both ends agree") {
  TagPairs tags;
  tags.gold = {{"B-A", "I-A", "O", "B-B"}, {"B-B", "O"}, {"O", "O"}};
  tags.predicted = {{"B-A", "O", "O", "B-B"}, {"B-A", "O"}, {"O", "B-C"}};
  const SequenceScores scores = score_sequences(tags);
  CHECK(scores.micro.gold == 3);
  CHECK(scores.micro.predicted == 4);
  CHECK(scores.micro.correct == 1);
  CHECK(scores.micro.precision() == Approx(1.0 / 4));
  CHECK(scores.micro.recall() == Approx(1.0 / 3));
  CHECK(scores.micro.f1() == Approx(2.0 / 7));
  CHECK(scores.accuracy() == Approx(5.0 / 8));
  CHECK(scores.by_type.at("B").f1() == Approx(2.0 / 3));
  CHECK(scores.macro_f1() == Approx((0.0 + 2.0 / 3 + 0.0) / 3));
}

TEST_CASE("seqeval: an entity does not go on into the next sentence") {
  TagPairs tags;
  tags.gold = {{"B-A"}, {"I-A"}};
  tags.predicted = {{"B-A"}, {"I-A"}};
  CHECK(score_sequences(tags).micro.gold == 2);
}

TEST_CASE("seqeval: nothing to find and nothing found is 0") {
  TagPairs tags;
  tags.gold = {{"O"}};
  tags.predicted = {{"O"}};
  const SequenceScores scores = score_sequences(tags);
  CHECK(scores.micro.f1() == 0.0);
  CHECK(scores.macro_f1() == 0.0);
  CHECK(scores.accuracy() == 1.0);
}

TEST_CASE("seqeval: strict schemes count well-formed entities only") {
  TagPairs tags;
  tags.gold = {{"B-A", "I-A", "O", "B-B"}};
  tags.predicted = {{"I-A", "I-A", "O", "B-B"}};
  CHECK(score_sequences(tags).micro.correct == 2);
  CHECK(score_sequences(tags, TagScheme::iob2).micro.correct == 1);
}

TEST_CASE("seqeval: sides of different length are refused") {
  TagPairs tags;
  tags.gold = {{"O"}, {"O", "O"}};
  tags.predicted = {{"O"}};
  CHECK_THROWS_WITH_AS(static_cast<void>(score_sequences(tags)),
                       "seqeval: 2 sentences of gold tags and 1 of predicted ones; wanted as many", ShapeError);
  tags.predicted = {{"O"}, {"O"}};
  CHECK_THROWS_WITH_AS(static_cast<void>(score_sequences(tags)), "seqeval: sentence 2: 2 gold tags and 1 predicted ones; wanted as many",
                       ShapeError);
}

TEST_CASE("seqeval: a file with one column is refused") {
  const testing::TemporaryFile file("tags.txt", "O\n");
  CHECK_THROWS_WITH_AS(static_cast<void>(read_tag_pairs(file.path())),
                       (file.name() + ":1: one column; wanted gold and predicted tags as the last two").c_str(), FileError);
}

}  // namespace seqeval_test
