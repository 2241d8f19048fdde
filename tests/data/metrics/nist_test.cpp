#include "data/metrics/nist.h"

#include <cmath>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/data/metrics/metric_cases.h"

namespace nist_test {

using namespace preamble;
using namespace preamble::metrics;
using doctest::Approx;

TEST_CASE("nist: agrees with its definition on several references") {
  const Corpus corpus = testing::golden_corpus();
  CHECK(nist(corpus, MtevalProgram::perl).score == Approx(testing::golden_score("nist")).epsilon(1e-10));
  CHECK(nist(corpus, MtevalProgram::python).score == Approx(testing::golden_score("nist_python")).epsilon(1e-10));
}

TEST_CASE("nist: one pair by hand") {
  // reference tokens 4: info(a) = log2(4/2) = 1, info(b) = log2(4/1) = 2, info(a b) = log2(2/1) = 1
  const NistScore score = nist({{"a b", {"a b a c"}}}, MtevalProgram::perl);
  const double penalty = std::exp(std::log(0.5) / std::pow(std::log(1.5), 2) * std::pow(std::log(0.5), 2));
  CHECK(score.length_penalty == Approx(penalty));
  CHECK(score.score == Approx(penalty * (3.0 / 2 + 1.0 / 1)));
}

TEST_CASE("nist: the reference lengths of the two programs differ with the number of references") {
  const Corpus corpus = {{"a b", {"a b", "a b c d"}}, {"c", {"c d e"}}};
  CHECK(nist(corpus, MtevalProgram::perl).reference_length == Approx(9.0 / 1.5));
  CHECK(nist(corpus, MtevalProgram::python).reference_length == Approx(3.0 + 3.0));
  const Corpus uneven = {{"a b", {"a b", "a b c d"}}, {"c", {"c d e f g"}}};
  CHECK(nist(uneven, MtevalProgram::perl).reference_length == Approx(11.0 / 1.5));
  CHECK(nist(uneven, MtevalProgram::python).reference_length == Approx(3.0 + 5.0));
}

TEST_CASE("nist: Perl takes the context 0 for none") {
  const Corpus corpus = {{"0 x", {"0 x y"}}};
  // info(0) + info(x) = 2 log2 3; info(0 x) = log2(1/1), in Perl log2(3/1)
  CHECK(nist(corpus, MtevalProgram::python).information[1] == Approx(0.0));
  CHECK(nist(corpus, MtevalProgram::perl).information[1] == Approx(std::log2(3.0)));
}

TEST_CASE("nist: an empty output scores 0") { CHECK(nist({{"", {"a b"}}}, MtevalProgram::perl).score == 0.0); }

TEST_CASE("nist: nothing to score is refused") {
  CHECK_THROWS_WITH_AS(static_cast<void>(nist({}, MtevalProgram::perl)), "nist: nothing to score; wanted at least one hypothesis", Error);
}

}  // namespace nist_test
