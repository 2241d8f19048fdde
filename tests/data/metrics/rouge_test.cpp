#include "data/metrics/rouge.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/data/metrics/metric_cases.h"

namespace rouge_test {

using namespace preamble;
using namespace preamble::metrics;
using doctest::Approx;

namespace {

Corpus noise() { return read_corpus(testing::golden("metrics/noise_predictions.txt"), {testing::golden("metrics/noise_targets.txt")}); }

}  // namespace

TEST_CASE("rouge: agrees with rouge_score, with and without stemming") {
  const auto& expected = testing::metric_cases().at("noise");
  const auto check = [&](const RougeScores& scores, const std::string& suffix) {
    CAPTURE(suffix);
    CHECK(100 * scores.rouge1.f1 == Approx(expected.at("rouge1" + suffix).get<double>()).epsilon(1e-10));
    CHECK(100 * scores.rouge2.f1 == Approx(expected.at("rouge2" + suffix).get<double>()).epsilon(1e-10));
    CHECK(100 * scores.rouge_l.f1 == Approx(expected.at("rougeL" + suffix).get<double>()).epsilon(1e-10));
    CHECK(100 * scores.rouge_lsum.f1 == Approx(expected.at("rougeLsum" + suffix).get<double>()).epsilon(1e-10));
  };
  check(rouge(noise(), RougeStemming::none), "");
  check(rouge(noise(), RougeStemming::nltk), "_stem");
}

TEST_CASE("rouge: one pair by hand") {
  const RougeScores scores = rouge("the cat sat on the mat", "the cat the cat", RougeStemming::none);
  CHECK(scores.rouge1.precision == Approx(3.0 / 4));
  CHECK(scores.rouge1.recall == Approx(3.0 / 6));
  CHECK(scores.rouge1.f1 == Approx(0.6));
  CHECK(scores.rouge2.precision == Approx(1.0 / 3));
  CHECK(scores.rouge_l.recall == Approx(3.0 / 6));
}

TEST_CASE("rouge: the union of subsequences with all lines, each token counted once") {
  // reference line 1: a b from the first line, c d from the second; line 2: nothing is left of a
  const RougeScores scores = rouge("a b c d\na", "a b x\nc y d", RougeStemming::none);
  CHECK(scores.rouge_lsum.recall == Approx(4.0 / 5));
  CHECK(scores.rouge_lsum.precision == Approx(4.0 / 6));
  CHECK(scores.rouge_l.recall == Approx(4.0 / 5));
  const RougeScores swapped = rouge("a b c d", "c d\na b", RougeStemming::none);
  CHECK(swapped.rouge_l.f1 == Approx(0.5));
  CHECK(swapped.rouge_lsum.f1 == Approx(1.0));
}

TEST_CASE("rouge: a period between spaces ends a sentence of a corpus") {
  const Corpus corpus = {{"c d . a b", {"a b . c d"}}};
  CHECK(rouge(corpus, RougeStemming::none).rouge_lsum.f1 == Approx(1.0));
}

TEST_CASE("rouge: the best reference counts for each type") {
  const Corpus corpus = {{"a b c", {"x y z", "c b a", "b c d e"}}};
  const RougeScores scores = rouge(corpus, RougeStemming::none);
  CHECK(scores.rouge1.f1 == Approx(1.0));
  CHECK(scores.rouge2.f1 == Approx(2.0 * (1.0 / 2) * (1.0 / 3) / (1.0 / 2 + 1.0 / 3)));
}

TEST_CASE("rouge: tokens are runs of ASCII letters and digits, stemmed beyond three letters") {
  CHECK(rouge_tokens("Café-Bars, 2nd!", RougeStemming::none) == Tokens{"caf", "bars", "2nd"});
  CHECK(rouge_tokens("news flies ies ponies", RougeStemming::nltk) == Tokens{"news", "fli", "ies", "poni"});
  CHECK(rouge_tokens("news", RougeStemming::original) == Tokens{"new"});
}

TEST_CASE("rouge: empty texts score 0") {
  const RougeScores scores = rouge("", "a", RougeStemming::none);
  CHECK(scores.rouge1.f1 == 0.0);
  CHECK(scores.rouge_l.f1 == 0.0);
  CHECK(scores.rouge_lsum.f1 == 0.0);
}

TEST_CASE("rouge: the caption form agrees with the caption evaluation") {
  CHECK(caption_rouge_l(testing::golden_corpus()) == Approx(testing::golden_score("rouge_l")).epsilon(1e-10));
}

TEST_CASE("rouge: the caption form takes precision and recall from different references") {
  // precision 1 from the second reference, recall 1 from the first
  CHECK(caption_rouge_l({{"a b", {"a", "a b c d"}}}) == Approx(1.0));
}

TEST_CASE("rouge: the package counts distinct n-grams") {
  const RougeScores scores = rouge_package("a b a b c", "a a b b");
  CHECK(scores.rouge1.precision == Approx(1.0));
  CHECK(scores.rouge1.recall == Approx(2.0 / 3));
  CHECK(scores.rouge2.precision == Approx(1.0 / 3));
  CHECK(scores.rouge_l.precision == Approx(3.0 / 4));
  CHECK(scores.rouge_l.recall == Approx(3.0 / 5));
  const double b2 = 1.25 * 1.25;
  CHECK(scores.rouge_l.f1 == Approx((1 + b2) * 0.75 * 0.6 / (0.6 + b2 * 0.75)));
}

TEST_CASE("rouge: nothing to score is refused") {
  CHECK_THROWS_WITH_AS(static_cast<void>(rouge(Corpus{}, RougeStemming::none)), "rouge: nothing to score; wanted at least one hypothesis",
                       Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(caption_rouge_l({})), "rouge_l: nothing to score; wanted at least one hypothesis", Error);
}

}  // namespace rouge_test
