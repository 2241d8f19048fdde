#include "data/metrics/label_scores.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace label_scores_test {

using namespace preamble;
using namespace preamble::metrics;

namespace {

using Indices = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("label_scores: integers stay what they are") {
  const LabelIndices indices = label_indices({"0", " 2", "x", "-1"}, {"0", "1", "2", "2"});
  CHECK(indices.predicted == Indices{0, 2, -1, -1});
  CHECK(indices.gold == Indices{0, 1, 2, 2});
  CHECK(indices.classes == 3);
}

TEST_CASE("label_scores: names are numbered in alphabetical order, unknown predictions are -1") {
  const LabelIndices indices = label_indices({"yes", "no", "Yes", ""}, {"no", "no", "yes ", "yes"});
  CHECK(indices.predicted == Indices{1, 0, -1, -1});
  CHECK(indices.gold == Indices{0, 0, 1, 1});
  CHECK(indices.classes == 2);
}

TEST_CASE("label_scores: different numbers of labels are refused") {
  CHECK_THROWS_WITH_AS(static_cast<void>(label_indices({"a"}, {})), "labels: 1 predicted and 0 gold; wanted as many", ShapeError);
}

TEST_CASE("label_scores: lines as numbers") {
  CHECK(parse_numbers({"1.5", " -2e1 "}, "f") == std::vector<double>{1.5, -20.0});
  CHECK_THROWS_WITH_AS(static_cast<void>(parse_numbers({"1", "two"}, "f")), "f:2: 'two'; wanted a number", FileError);
  CHECK_THROWS_AS(static_cast<void>(parse_numbers({""}, "f")), FileError);
}

}  // namespace label_scores_test
