#include "models/generate/select.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace select_test {

using namespace preamble;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<std::int64_t> indices(const std::vector<Candidate>& candidates) {
  std::vector<std::int64_t> found;
  for (const auto& candidate : candidates) found.push_back(candidate.index);
  return found;
}

}  // namespace

TEST_CASE("select: largest equals a full sort") {
  Random random(3);
  std::vector<float> scores(1000);
  for (float& x : scores) x = static_cast<float>(random.below(100));  // many equals
  scores[17] = -kInfinity;
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](auto a, auto b) { return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)]; });
  std::vector<Candidate> found;
  for (const std::size_t count : {0UL, 1UL, 2UL, 37UL, 1000UL}) {
    CAPTURE(count);
    largest(scores, count, found);
    CHECK(indices(found) == std::vector<std::int64_t>(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count)));
  }
}

TEST_CASE("select: a draw never takes what has no probability") {
  Random random(1);
  const std::vector<float> scores{-kInfinity, 0, -kInfinity, -200, -kInfinity};
  for (int i = 0; i < 200; ++i) CHECK(sample(scores, random) == 1);
  CHECK_THROWS_AS(static_cast<void>(sample(std::vector<float>{-kInfinity, -kInfinity}, random)), Error);
}

TEST_CASE("select: distinct draws take the first by probability and the second among the rest") {
  const std::vector<double> p{0.5, 0.3, 0.2};
  const std::vector<float> scores{std::log(0.5F), std::log(0.3F), std::log(0.2F)};
  constexpr int kDraws = 30000;
  std::vector<std::vector<int>> counts(3, std::vector<int>(3));
  Random random(9);
  std::vector<Candidate> found;
  std::vector<float> weights;
  for (int i = 0; i < kDraws; ++i) {
    sample_distinct(scores, 2, random, found, weights);
    ++counts[static_cast<std::size_t>(found[0].index)][static_cast<std::size_t>(found[1].index)];
  }
  for (std::size_t a = 0; a < 3; ++a) {
    CHECK(counts[a][a] == 0);
    for (std::size_t b = 0; b < 3; ++b) {
      if (a == b) continue;
      const double wanted = p[a] * p[b] / (1 - p[a]);
      CHECK(std::abs(counts[a][b] / static_cast<double>(kDraws) - wanted) < 4.5 * std::sqrt(wanted * (1 - wanted) / kDraws));
    }
  }
}

TEST_CASE("select: distinct draws refuse to invent what has no probability") {
  Random random(1);
  std::vector<Candidate> found;
  std::vector<float> weights;
  CHECK_THROWS_WITH_AS(sample_distinct(std::vector<float>{0, -kInfinity, 1}, 3, random, found, weights),
                       "generate: 2 continuations have a probability above 0; wanted 3 (fewer beams, or larger top_k and top_p)", Error);
}

}  // namespace select_test
