#include "peft/prompt_geometry.h"

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/values.h"

namespace prompt_geometry_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

Tensor matrix(std::int64_t rows, std::int64_t width, const std::vector<float>& values) { return tensor_of({rows, width}, values); }

using Groups = std::vector<std::vector<std::size_t>>;

}  // namespace

TEST_CASE("prompt geometry: cosines of all pairs, 0 for rows without a direction") {
  const auto cosines = cosine_matrix(matrix(3, 2, {2, 0, 3, 3, 0, 0}));
  const double root = std::sqrt(0.5);
  check_close(cosines, {1, root, 0, root, 1, 0, 0, 0, 0}, 1e-12);
  CHECK(mean_off_diagonal(cosines, 3) == doctest::Approx(2 * root / 6));
  CHECK(mean_off_diagonal(std::vector<double>{1}, 1) == 0);
}

TEST_CASE("prompt geometry: clusters join by their mean cosines, the largest first") {
  // 0, 2 and 3 alike, 1 and 4 alike
  const Tensor rows = matrix(5, 3, {1, 0, 0, 0, 1, 0, 1, 0.1F, 0, 1, 0, 0.1F, 0, 1, 0.1F});
  const auto cosines = cosine_matrix(rows);
  CHECK(clusters_of(cosines, 5, 0.5) == Groups{{0, 2, 3}, {1, 4}});
  CHECK(clusters_of(cosines, 5, 1.01) == Groups{{0}, {1}, {2}, {3}, {4}});
  CHECK(clusters_of(cosines, 5, -1) == Groups{{0, 1, 2, 3, 4}});
  // a chain does not pull in what is far from the rest: 0-1 and 1-2 are close, 0-2 are not
  const std::vector<double> chain = {1, 0.9, 0.1, 0.9, 1, 0.8, 0.1, 0.8, 1};
  CHECK(clusters_of(chain, 3, 0.6) == Groups{{0, 1}, {2}});
}

TEST_CASE("prompt geometry: neighbours that are alike are tight") {
  const Tensor words = matrix(3, 2, {1, 0, 2, 0, 0, 1});
  const auto found = tightness({{{0, 0}, {1, 0}}, {{0, 0}, {2, 0}}, {{0, 0}}}, words);
  CHECK(found[0] == doctest::Approx(1));
  CHECK(found[1] == doctest::Approx(0));
  CHECK(std::isnan(found[2]));
}

TEST_CASE("prompt geometry: drift is relative to where a row started") {
  const Drift drift = drift_of(matrix(2, 2, {2, 0, 0, 1}), matrix(2, 2, {2, 2, 0, 1}));
  CHECK(drift.distances == std::vector<double>{1, 0});
  CHECK(drift.distance == doctest::Approx(0.5));
  CHECK(drift.cosine == doctest::Approx((1 + std::sqrt(0.5)) / 2));
  CHECK_THROWS_AS((void)drift_of(matrix(1, 2, {1, 1}), matrix(2, 1, {1, 1})), ShapeError);
}

TEST_CASE("prompt geometry: the row closest to a vector, and the words that are closer to that row") {
  const Tensor prompt = matrix(2, 2, {1, 0, 1, 3});
  const Tensor words = matrix(4, 2, {0, 1, 1, 3.1F, 1, 2.9F, 5, 0});
  const std::vector<float> up = {0, 2};
  const ClosestRow found = closest_row(up, prompt, words);
  CHECK(found.row == 1);
  CHECK(found.cosine == doctest::Approx(3 / std::sqrt(10.0)));
  CHECK(found.rank == 3);  // two words lie between; the word [0, 1] is the vector itself
  const std::vector<float> right = {7, 0};
  CHECK(closest_row(right, prompt, words).rank == 1);
}

TEST_CASE("prompt geometry: random vectors are as long as the rows, and a function of the seed") {
  const Tensor like = matrix(2, 400, std::vector<float>(800, 0.5F));
  const Tensor random = random_like(like, 1);
  for (const double norm : row_norms(random)) CHECK(norm == doctest::Approx(10).epsilon(0.15));
  CHECK(numbers(random) == numbers(random_like(like, 1)));
  CHECK(numbers(random) != numbers(random_like(like, 2)));
}

}  // namespace prompt_geometry_test
