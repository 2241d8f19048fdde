#include "data/metrics/classification.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace classification_test {

using namespace preamble;
using namespace preamble::metrics;
using doctest::Approx;

namespace {

using Labels = std::vector<std::int32_t>;
using Numbers = std::vector<double>;

// expected values marked (sklearn) and (scipy) are those of scikit-learn 1.7 and SciPy 1.16
const Labels kGold = {2, 0, 1, 1, 2, 0, 2, 1, 0, 2, 2, 1};
const Labels kPredicted = {2, 0, 2, 1, 1, 0, 2, -1, 1, 2, 0, 1};
const Labels kBinaryGold = {1, 1, 0, 1, 0, 0, 1, 0};
const Labels kBinaryPredicted = {1, 0, 0, 1, 1, 0, 1, 1};

Approx near(double value) { return Approx(value).epsilon(1e-12); }

}  // namespace

TEST_CASE("accuracy: share of equal labels, -1 is wrong") {
  CHECK(accuracy(kPredicted, kGold) == near(7.0 / 12.0));
  CHECK(accuracy(Labels{-1, 1}, Labels{0, 1}) == 0.5);
}

TEST_CASE("binary_f1: F1 of class 1") {
  CHECK(binary_f1(kBinaryPredicted, kBinaryGold) == near(0.6666666666666666));  // (sklearn)
  CHECK(binary_f1(Labels{1, 1, 0}, Labels{1, 1, 0}) == 1.0);
}

TEST_CASE("binary_f1: class 1 on neither side gives 0") { CHECK(binary_f1(Labels{0, 0}, Labels{0, 0}) == 0.0); }

TEST_CASE("binary_f1: an invalid prediction counts as the opposite of its gold label") {
  // TP 1, FN 1 and, by way of -1 against gold 0, FP 1
  CHECK(binary_f1(Labels{1, -1, -1, 0}, Labels{1, 1, 0, 0}) == near(0.5));
}

TEST_CASE("macro_f1: mean over classes, absent ones count 0") {
  CHECK(macro_f1(kPredicted, kGold, 3) == near(0.611111111111111));    // (sklearn, labels=[0,1,2])
  CHECK(macro_f1(kPredicted, kGold, 4) == near(0.45833333333333326));  // (sklearn, labels=[0,1,2,3])
  CHECK(macro_f1(Labels{0, 1}, Labels{0, 1}, 3) == near(2.0 / 3.0));
}

TEST_CASE("matthews_correlation: two classes and more") {
  CHECK(matthews_correlation(kBinaryPredicted, kBinaryGold) == near(0.2581988897471611));  // (sklearn)
  CHECK(matthews_correlation(kPredicted, kGold) == near(0.3982910929752626));              // (sklearn)
  CHECK(matthews_correlation(Labels{1, 0, 1}, Labels{0, 1, 0}) == near(-1.0));
}

TEST_CASE("matthews_correlation: a constant side gives 0") {
  CHECK(matthews_correlation(Labels{1, 1, 1}, Labels{0, 1, 0}) == 0.0);
  CHECK(matthews_correlation(Labels{1, 0, 1}, Labels{0, 0, 0}) == 0.0);
}

TEST_CASE("pearson and spearman: agree with SciPy, ties included") {
  const Numbers predicted = {4.2, -1, 3.0, 0.2, 5.0, 2.6, 3.0, 1.4};
  const Numbers gold = {4.0, 1.2, 3.2, 0.0, 4.75, 2.6, 3.2, 3.2};
  CHECK(pearson_correlation(predicted, gold) == near(0.8848065101504194));   // (scipy)
  CHECK(spearman_correlation(predicted, gold) == near(0.9081292832965596));  // (scipy)
}

TEST_CASE("spearman: sees order alone") {
  CHECK(spearman_correlation(Numbers{1, 2, 3}, Numbers{10, 1000, 1e9}) == near(1.0));
  CHECK(spearman_correlation(Numbers{1, 2, 3}, Numbers{3, 2, 1}) == near(-1.0));
}

TEST_CASE("pearson and spearman: a constant side gives 0, whatever its rounding") {
  const Numbers constant(7, 0.1);
  const Numbers rising = {1, 2, 3, 4, 5, 6, 7};
  CHECK(pearson_correlation(constant, rising) == 0.0);
  CHECK(pearson_correlation(rising, constant) == 0.0);
  CHECK(spearman_correlation(constant, rising) == 0.0);
}

TEST_CASE("pearson: values of any size do not leave -1 .. 1") {
  CHECK(pearson_correlation(Numbers{1e-200, 2e-200, 3e-200}, Numbers{1, 2, 3}) <= 1.0);
  CHECK(pearson_correlation(Numbers{0.1, 0.2, 0.3}, Numbers{0.1, 0.2, 0.3}) <= 1.0);
}

TEST_CASE("classification metrics: reject wrong counts, nothing, and labels outside of the classes") {
  CHECK_THROWS_WITH_AS((void)accuracy(Labels{1}, Labels{1, 0}), "metric: 1 predictions; wanted 2 as gold labels", ShapeError);
  CHECK_THROWS_WITH_AS((void)accuracy(Labels{}, Labels{}), "metric: no predictions; wanted at least one", ConfigError);
  CHECK_THROWS_WITH_AS((void)binary_f1(Labels{1}, Labels{2}), "metric: gold label 2; wanted 0 to 1", ConfigError);
  CHECK_THROWS_WITH_AS((void)macro_f1(Labels{1}, Labels{-1}, 3), "metric: gold label -1; wanted 0 to 2", ConfigError);
  CHECK_THROWS_WITH_AS((void)pearson_correlation(Numbers{1, std::nan("")}, Numbers{1, 2}), "metric: the value nan; wanted a finite number",
                       ConfigError);
  CHECK_THROWS_AS((void)spearman_correlation(Numbers{1, 2}, Numbers{1, std::numeric_limits<double>::infinity()}), ConfigError);
}

}  // namespace classification_test
