#include "data/metrics/cider.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/data/metrics/metric_cases.h"

namespace cider_test {

using namespace preamble;
using namespace preamble::metrics;
using doctest::Approx;

TEST_CASE("cider: agrees with the caption evaluation") {
  CHECK(cider(testing::golden_corpus()) == Approx(testing::golden_score("cider")).epsilon(1e-10));
}

TEST_CASE("cider: perfect outputs of four words and more score 10") {
  const Corpus corpus = {{"one two three four", {"one two three four"}}, {"five six seven eight", {"five six seven eight"}}};
  CHECK(cider(corpus) == Approx(10.0));
}

TEST_CASE("cider: orders that a text is too short for count 0") {
  CHECK(cider({{"one two", {"one two"}}, {"five six", {"five six"}}}) == Approx(5.0));
}

TEST_CASE("cider: a single instance scores 0, because every n-gram is in all instances") { CHECK(cider({{"a b", {"a b"}}}) == 0.0); }

TEST_CASE("cider: nothing to score is refused") {
  CHECK_THROWS_WITH_AS(static_cast<void>(cider({})), "cider: nothing to score; wanted at least one hypothesis", Error);
}

}  // namespace cider_test
