#include "data/metrics/chrf.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/data/metrics/metric_cases.h"

namespace chrf_test {

using namespace preamble;
using namespace preamble::metrics;
using doctest::Approx;

TEST_CASE("chrf: agrees with sacreBLEU") {
  const Corpus corpus = testing::golden_corpus();
  ChrfOptions words;
  words.word_order = 2;
  ChrfOptions lowercase;
  lowercase.lowercase = true;
  CHECK(chrf(corpus) == Approx(testing::golden_score("chrf")).epsilon(1e-10));
  CHECK(chrf(corpus, words) == Approx(testing::golden_score("chrf++")).epsilon(1e-10));
  CHECK(chrf(corpus, lowercase) == Approx(testing::golden_score("chrf_lowercase")).epsilon(1e-10));
}

TEST_CASE("chrf: one pair by hand") {
  // characters: precision 2/3, recall 2/4; bigrams: 1/2, 1/3; longer orders: trigrams 0/1, 0/2
  ChrfOptions options;
  options.char_order = 3;
  const double p = (2.0 / 3 + 1.0 / 2) / 3;
  const double r = (2.0 / 4 + 1.0 / 3) / 3;
  CHECK(chrf({{"a bx", {"ab cd"}}}, options) == Approx(100 * 5 * p * r / (4 * p + r)));
}

TEST_CASE("chrf: characters are code points") { CHECK(chrf({{"é", {"é"}}}) == Approx(100.0)); }

TEST_CASE("chrf: nothing in common and empty texts score 0") {
  CHECK(chrf({{"abc", {"xyz"}}}) == 0.0);
  CHECK(chrf({{"", {"xyz"}}}) == 0.0);
}

TEST_CASE("chrf: nothing to score is refused") {
  ChrfOptions none;
  none.char_order = 0;
  CHECK_THROWS_WITH_AS(static_cast<void>(chrf({})), "chrf: nothing to score; wanted at least one hypothesis", Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(chrf({{"a", {"a"}}}, none)), "chrf: orders 0 and 0; wanted at least one order of n-grams",
                       ConfigError);
}

}  // namespace chrf_test
