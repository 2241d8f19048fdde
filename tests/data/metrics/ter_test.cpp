#include "data/metrics/ter.h"

#include <doctest/doctest.h>

#include "data/metrics/text.h"
#include "engine/core/error.h"
#include "tests/data/metrics/metric_cases.h"

namespace ter_test {

using namespace preamble;
using namespace preamble::metrics;
using doctest::Approx;

TEST_CASE("ter: agrees with sacreBLEU") {
  TerOptions cased;
  cased.case_sensitive = true;
  CHECK(ter(testing::golden_corpus()).score == Approx(testing::golden_score("ter")).epsilon(1e-10));
  CHECK(ter(testing::golden_corpus(), cased).score == Approx(testing::golden_score("ter_cased")).epsilon(1e-10));
}

TEST_CASE("ter: a block that moves costs one edit") {
  CHECK(translation_edits(split_whitespace("d e a b c"), split_whitespace("a b c d e")) == 1);
  CHECK(translation_edits(split_whitespace("d e a b x"), split_whitespace("a b c d e")) == 2);
  CHECK(translation_edits(split_whitespace("a b"), split_whitespace("a b")) == 0);
}

TEST_CASE("ter: empty sides cost the other side's words") {
  CHECK(translation_edits({}, {"a", "b"}) == 2);
  CHECK(translation_edits({"a", "b"}, {}) == 2);
}

TEST_CASE("ter: fewest edits over mean length of the references") {
  const TerScore score = ter({{"a b c", {"a b c", "a b c d e"}}, {"x", {"y z"}}});
  CHECK(score.edits == 2);
  CHECK(score.reference_length == Approx(6.0));
  CHECK(score.score == Approx(100.0 / 3));
}

TEST_CASE("ter: empty references count 1 against outputs and 0 without") {
  CHECK(ter({{"a", {""}}}).score == 100.0);
  CHECK(ter({{"", {""}}}).score == 0.0);
}

TEST_CASE("ter: nothing to score is refused") {
  CHECK_THROWS_WITH_AS(static_cast<void>(ter({})), "ter: nothing to score; wanted at least one hypothesis", Error);
}

}  // namespace ter_test
