#include "peft/neighbours.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "tests/support/values.h"

namespace neighbours_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

Tensor matrix(std::int64_t rows, std::int64_t width, const std::vector<float>& values) { return tensor_of({rows, width}, values); }

Tensor random_matrix(std::int64_t rows, std::int64_t width, std::uint64_t seed) {
  Random random(seed);
  Tensor tensor(Dtype::f32, {rows, width});
  std::ranges::generate(tensor.values<float>(), [&] { return random.normal(); });
  return tensor;
}

std::vector<std::int32_t> ids_of(const std::vector<Neighbour>& neighbours) {
  std::vector<std::int32_t> ids;
  for (const auto& neighbour : neighbours) ids.push_back(neighbour.id);
  return ids;
}

}  // namespace

TEST_CASE("neighbours: the direction counts, not the length") {
  const Tensor words = matrix(4, 2, {1, 0, 0, 100, -3, 0, 1, 1});
  const auto found = nearest_tokens(matrix(2, 2, {5, 0, 0.1F, 0.1F}), words, 4);
  CHECK(ids_of(found[0]) == std::vector<std::int32_t>{0, 3, 1, 2});
  CHECK(found[0][0].cosine == doctest::Approx(1));
  CHECK(found[0][1].cosine == doctest::Approx(std::sqrt(0.5)));
  CHECK(found[0][2].cosine == doctest::Approx(0));
  CHECK(found[0][3].cosine == doctest::Approx(-1));
  CHECK(found[1][0].id == 3);
}

TEST_CASE("neighbours: by dot product the length counts too") {
  const Tensor words = matrix(4, 2, {1, 0, 0, 100, -3, 0, 1, 1});
  const auto found = nearest_tokens(matrix(1, 2, {5, 0.5F}), words, 2, Closeness::dot);
  CHECK(ids_of(found[0]) == std::vector<std::int32_t>{1, 3});
  CHECK(found[0][0].cosine == doctest::Approx(50));
}

TEST_CASE("neighbours: equal to a search that knows no blocks, whatever the type of the vocabulary") {
  // more words than a block, and a last block that is not full
  const std::int64_t vocabulary = 9000;
  const std::int64_t width = 12;
  const Tensor prompt = random_matrix(7, width, 1);
  for (const auto dtype : {Dtype::f32, Dtype::bf16}) {
    const Tensor words = random_matrix(vocabulary, width, 2).to(dtype);
    const auto found = nearest_tokens(prompt, words, 5);
    const auto p = numbers(prompt);
    const auto w = numbers(words);
    for (std::size_t row = 0; row < 7; ++row) {
      std::vector<std::pair<double, std::int32_t>> all;
      for (std::size_t word = 0; word < static_cast<std::size_t>(vocabulary); ++word) {
        double dot = 0;
        double pp = 0;
        double ww = 0;
        for (std::size_t d = 0; d < static_cast<std::size_t>(width); ++d) {
          dot += p[row * width + d] * w[word * width + d];
          pp += p[row * width + d] * p[row * width + d];
          ww += w[word * width + d] * w[word * width + d];
        }
        all.emplace_back(-dot / std::sqrt(pp * ww), static_cast<std::int32_t>(word));
      }
      std::ranges::sort(all);
      REQUIRE(found[row].size() == 5);
      for (std::size_t k = 0; k < 5; ++k) {
        CHECK(found[row][k].id == all[k].second);
        CHECK(found[row][k].cosine == doctest::Approx(-all[k].first).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("neighbours: of equal cosines the lower id comes first, and there are no more than words") {
  const auto found = nearest_tokens(matrix(1, 1, {1}), matrix(3, 1, {2, 3, 4}), 5);
  CHECK(ids_of(found[0]) == std::vector<std::int32_t>{0, 1, 2});
  CHECK(ids_of(nearest_tokens(matrix(1, 1, {1}), matrix(3, 1, {2, 3, 4}), 2)[0]) == std::vector<std::int32_t>{0, 1});
}

TEST_CASE("neighbours: rows without a direction have none and are none") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const auto found = nearest_tokens(matrix(3, 2, {0, 0, nan, 1, 1, 1}), matrix(4, 2, {0, 0, infinity, 1, 1, 0, -1, 0}), 4);
  CHECK(found[0].empty());
  CHECK(found[1].empty());
  CHECK(ids_of(found[2]) == std::vector<std::int32_t>{2, 3});
}

TEST_CASE("neighbours: norms of rows in double, so that large values do not overflow") {
  const auto norms = row_norms(matrix(3, 2, {3, 4, 0, 0, 3e30F, 4e30F}));
  CHECK(norms[0] == doctest::Approx(5));
  CHECK(norms[1] == 0);
  CHECK(norms[2] == doctest::Approx(5e30));
  CHECK(nearest_tokens(matrix(1, 2, {3e30F, 4e30F}), matrix(1, 2, {3e-30F, 4e-30F}), 1)[0][0].cosine == doctest::Approx(1));
}

TEST_CASE("neighbours: rejects what does not fit") {
  CHECK_THROWS_WITH_AS((void)nearest_tokens(Tensor(Dtype::f32, {2, 3}), Tensor(Dtype::f32, {5, 4}), 1),
                       "neighbours: a prompt [2, 3] and an embedding [5, 4] were given; wanted one width", ShapeError);
  CHECK_THROWS_WITH_AS((void)nearest_tokens(Tensor(Dtype::i32, {2, 3}), Tensor(Dtype::f32, {5, 3}), 1),
                       "neighbours: I32 [2, 3] was given; wanted a floating matrix", ShapeError);
  CHECK_THROWS_WITH_AS((void)nearest_tokens(Tensor(Dtype::f32, {2, 3}), Tensor(Dtype::f32, {5, 3}), 0),
                       "neighbours: 0 were asked for; wanted one at least", ConfigError);
}

}  // namespace neighbours_test
