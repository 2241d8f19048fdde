#include "data/metrics/bleu.h"

#include <cmath>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/data/metrics/metric_cases.h"

namespace bleu_test {

using namespace preamble;
using namespace preamble::metrics;
using doctest::Approx;

namespace {

SacreBleuOptions smoothed(BleuSmoothing smoothing) {
  SacreBleuOptions options;
  options.smoothing = smoothing;
  return options;
}

SacreBleuOptions tokenised(SacreTokenizer tokenizer) {
  SacreBleuOptions options;
  options.tokenizer = tokenizer;
  return options;
}

}  // namespace

TEST_CASE("bleu: agrees with sacreBLEU") {
  const Corpus corpus = testing::golden_corpus();
  const auto close = [](double value, const char* name) {
    CAPTURE(name);
    CHECK(value == Approx(testing::golden_score(name)).epsilon(1e-10));
  };
  close(sacre_bleu(corpus).score, "sacrebleu");
  close(sacre_bleu(corpus, tokenised(SacreTokenizer::international)).score, "sacrebleu_intl");
  close(sacre_bleu(corpus, tokenised(SacreTokenizer::none)).score, "sacrebleu_none");
  close(sacre_bleu(corpus, smoothed(BleuSmoothing::floor)).score, "sacrebleu_floor");
  close(sacre_bleu(corpus, smoothed(BleuSmoothing::add_one)).score, "sacrebleu_add_one");
  SacreBleuOptions lowercase;
  lowercase.lowercase = true;
  close(sacre_bleu(corpus, lowercase).score, "sacrebleu_lowercase");
  close(multi_bleu(corpus, false).score, "multi_bleu");
  close(multi_bleu(corpus, true).score, "multi_bleu_lc");
  close(mteval_bleu(corpus, MtevalProgram::perl).score, "bleu");
  close(mteval_bleu(corpus, MtevalProgram::python).score, "bleu_python");
}

TEST_CASE("bleu: one pair by hand") {
  // hits 4/5, 3/4, 2/3, 1/2; lengths 5 against 6
  const Corpus corpus = {{"a b c d x", {"a b c d e f"}}};
  const double mean = std::pow(4.0 / 5 * 3 / 4 * 2 / 3 * 1 / 2, 0.25);
  const BleuScore score = multi_bleu(corpus, false);
  CHECK(score.score == Approx(100 * std::exp(1 - 6.0 / 5) * mean));
  CHECK(score.statistics.hits == std::array<std::int64_t, 4>{4, 3, 2, 1});
  CHECK(score.statistics.totals == std::array<std::int64_t, 4>{5, 4, 3, 2});
  CHECK(multi_bleu_line(score) == "BLEU = 54.75, 80.0/75.0/66.7/50.0 (BP=0.819, ratio=0.833, hyp_len=5, ref_len=6)");
}

TEST_CASE("bleu: the closest reference length wins, the shorter of two") {
  CHECK(multi_bleu({{"a b c", {"a b", "a b c d", "a b c d e"}}}, false).statistics.reference_tokens == 2);
}

TEST_CASE("bleu: an empty reference counts for multi-bleu and not for mteval") {
  const Corpus corpus = {{"a", {"", "a b c"}}};
  CHECK(multi_bleu(corpus, false).statistics.reference_tokens == 0);
  CHECK(mteval_bleu(corpus, MtevalProgram::perl).statistics.reference_tokens == 3);
}

TEST_CASE("bleu: without hits of an order, programs differ") {
  const Corpus corpus = {{"a b x y z", {"a b c d e"}}};
  CHECK(multi_bleu(corpus, false).score == 0.0);
  // 2/5, 1/4, 1/(2 * 3), 1/(4 * 2)
  CHECK(mteval_bleu(corpus, MtevalProgram::perl).score == Approx(std::pow(2.0 / 5 / 4 / 6 / 8, 0.25)));
  CHECK(mteval_bleu(corpus, MtevalProgram::python).score < 1e-6);
  CHECK(sacre_bleu(corpus).score == Approx(100 * std::pow(2.0 / 5 / 4 / 6 / 8, 0.25)));
  CHECK(sacre_bleu(corpus, smoothed(BleuSmoothing::none)).score == 0.0);
}

TEST_CASE("bleu: effective order averages over the orders that exist") {
  SacreBleuOptions options;
  CHECK(sacre_bleu({{"a b", {"a b"}}}, options).score == 0.0);
  options.effective_order = true;
  CHECK(sacre_bleu({{"a b", {"a b"}}}, options).score == Approx(100.0));
}

TEST_CASE("bleu: an output shorter than an order takes away from the Python twin's totals") {
  const Corpus corpus = {{"a b c d e", {"a b c d e"}}, {"a", {"a"}}};
  CHECK(mteval_bleu(corpus, MtevalProgram::perl).statistics.totals == std::array<std::int64_t, 4>{6, 4, 3, 2});
  CHECK(mteval_bleu(corpus, MtevalProgram::python).statistics.totals == std::array<std::int64_t, 4>{6, 4, 2, 0});
}

TEST_CASE("bleu: outputs without tokens score 0") {
  const Corpus corpus = {{"", {"a b c d"}}};
  CHECK(mteval_bleu(corpus, MtevalProgram::perl).score == 0.0);
  CHECK(mteval_bleu(corpus, MtevalProgram::python).score == 0.0);
  CHECK(multi_bleu(corpus, false).score == 0.0);
  CHECK(sacre_bleu(corpus).score == 0.0);
  CHECK(multi_bleu_line(multi_bleu({{"a", {""}}}, false)) == "BLEU = 0, 0/0/0/0 (BP=0, ratio=0, hyp_len=0, ref_len=0)");
}

TEST_CASE("bleu: nothing to score is refused") {
  CHECK_THROWS_WITH_AS(static_cast<void>(sacre_bleu({})), "sacrebleu: nothing to score; wanted at least one hypothesis", Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(multi_bleu({{"a", {"a"}}, {"b", {}}}, false)), "multi_bleu: hypothesis 2 has no reference", Error);
}

}  // namespace bleu_test
