#include "peft/ensemble.h"

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace ensemble_test {

using namespace preamble;

TEST_CASE("ensemble: the class that most members chose wins, however sure the others are") {
  const std::vector<Vote> votes = {{1, {-1.0, -0.9}}, {0, {-0.01, -50.0}}, {1, {-1.0, -0.9}}};
  CHECK(majority_vote(votes) == 1);
}

TEST_CASE("ensemble: a tie goes to the tied class with the highest sum of log-likelihoods") {
  CHECK(majority_vote(std::vector<Vote>{{0, {-0.1, -2.0, -9.0}}, {1, {-3.0, -0.2, -9.0}}}) == 1);
  CHECK(majority_vote(std::vector<Vote>{{0, {-0.1, -2.0, -9.0}}, {1, {-0.3, -0.2, -9.0}}}) == 0);
  // a class that nobody chose does not win by its sum
  CHECK(majority_vote(std::vector<Vote>{{0, {-1.0, -2.0, -1.1}}, {1, {-2.0, -1.0, -1.1}}}) != 2);
}

TEST_CASE("ensemble: of equal counts and equal sums the first class wins") {
  CHECK(majority_vote(std::vector<Vote>{{1, {-1.0, -1.0}}, {0, {-1.0, -1.0}}}) == 0);
}

TEST_CASE("ensemble: one member decides alone") { CHECK(majority_vote(std::vector<Vote>{{2, {-0.1, -0.2, -0.3}}}) == 2); }

TEST_CASE("ensemble: rejects no votes, a choice outside, and members that know different classes") {
  CHECK_THROWS_WITH_AS((void)majority_vote({}), "majority vote: no votes were given; wanted one at least", ConfigError);
  const auto vote = [](const std::vector<Vote>& votes) { (void)majority_vote(votes); };
  CHECK_THROWS_WITH_AS(vote({{2, {-1.0, -1.0}}}), "majority vote: choice 2 among 2 classes was given; the first vote has 2", ShapeError);
  CHECK_THROWS_WITH_AS(vote({{-1, {-1.0, -1.0}}}), "majority vote: choice -1 among 2 classes was given; the first vote has 2", ShapeError);
  CHECK_THROWS_WITH_AS(vote({{0, {-1.0, -1.0}}, {0, {-1.0}}}), "majority vote: choice 0 among 1 classes was given; the first vote has 2",
                       ShapeError);
}

TEST_CASE("ensemble: means of probabilities and of log-likelihoods may choose otherwise than the majority") {
  // two members lean to class 0, one is sure of class 1
  const std::vector<Vote> votes = {{0, {std::log(0.6), std::log(0.4)}}, {0, {std::log(0.6), std::log(0.4)}}, {1, {std::log(0.001), std::log(0.999)}}};
  CHECK(vote_of(votes, Vote::Way::majority) == 0);
  CHECK(vote_of(votes, Vote::Way::probabilities) == 1);
  CHECK(vote_of(votes, Vote::Way::logits) == 1);
  CHECK(mean_of_votes(votes, Vote::Way::probabilities)[0] == doctest::Approx((0.6 + 0.6 + 0.001) / 3));
  CHECK(mean_of_votes(votes, Vote::Way::logits)[1] == doctest::Approx((2 * std::log(0.4) + std::log(0.999)) / 3));
  // probabilities are those among the classes, whatever the scale of the likelihoods
  const std::vector<Vote> scaled = {{0, {-100.0, -101.0}}};
  CHECK(mean_of_votes(scaled, Vote::Way::probabilities)[0] == doctest::Approx(1 / (1 + std::exp(-1.0))));
  CHECK(vote_way_of("logits") == Vote::Way::logits);
  CHECK_THROWS_AS((void)vote_way_of("sum"), ConfigError);
}

}  // namespace ensemble_test
