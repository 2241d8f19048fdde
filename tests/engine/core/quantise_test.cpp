#include "engine/core/quantise.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/core/stored_matrix.h"
#include "tests/support/values.h"

namespace quantise_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::array kTypes = {Dtype::int8_rows, Dtype::int8_columns, Dtype::int4_32, Dtype::int4_64, Dtype::nf4_32, Dtype::nf4_64};

Tensor normal(std::int64_t rows, std::int64_t columns) {
  Tensor tensor(Dtype::f32, {rows, columns});
  Random random(3, 1);
  for (float& x : tensor.values<float>()) x = random.normal();
  return tensor;
}

/// Largest |w| among the elements that share a scale with w[r, c].
float largest_of_group(const Tensor& w, Dtype type, std::int64_t r, std::int64_t c) {
  const std::int64_t rows = w.dim(0), columns = w.dim(1), group = StoredMatrix::of(type, rows, columns, nullptr).group;
  const auto values = w.values<float>();
  float largest = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      const bool shared = type == Dtype::int8_columns ? j == c : i == r && j / group == c / group;
      if (shared) largest = std::max(largest, std::abs(values[static_cast<std::size_t>(i * columns + j)]));
    }
  }
  return largest;
}

}  // namespace

TEST_CASE("quantise: every element is within half a step of its source") {
  const Tensor w = normal(5, 150);
  for (const Dtype type : kTypes) {
    CAPTURE(name_of(type));
    const Tensor q = quantise(w, type);
    CHECK(q.dtype() == type);
    CHECK(q.dims() == w.dims());
    const Tensor back = q.to(Dtype::f32);
    const bool int8 = type == Dtype::int8_rows || type == Dtype::int8_columns, nf4 = type == Dtype::nf4_32 || type == Dtype::nf4_64;
    // the widest gap of NF4 lies between -1 and -0.696
    const float half_step = int8 ? 0.5F / 127 : nf4 ? 0.152F : 0.5F / 7;
    for (std::int64_t r = 0; r < 5; ++r) {
      for (std::int64_t c = 0; c < 150; ++c) {
        const auto i = static_cast<std::size_t>(r * 150 + c);
        REQUIRE(std::abs(back.values<float>()[i] - w.values<float>()[i]) <= 1.0001F * half_step * largest_of_group(w, type, r, c));
      }
    }
  }
}

TEST_CASE("quantise: numbers of the grid stay what they are, and twice is once") {
  Tensor w(Dtype::f32, {1, 64});
  for (std::size_t i = 0; i < 64; ++i) w.values<float>()[i] = 0.25F * static_cast<float>(static_cast<int>(i % 15) - 7);
  CHECK(numbers(quantise(w, Dtype::int4_64)) == numbers(w));
  for (const Dtype type : kTypes) {
    CAPTURE(name_of(type));
    const Tensor q = quantise(normal(4, 70), type);
    check_close(numbers(quantise(q, type)), numbers(q), 1e-6);
  }
}

TEST_CASE("quantise: the 16 numbers of NF4, and ties between them") {
  // what bitsandbytes gives for one block: codes 0, 3, 7, 8, 15 of values near them
  Tensor w(Dtype::f32, {1, 5});
  const std::array given = {-2.0F, -0.8F, 0.01F, 0.17F, 1.9F};
  std::ranges::copy(given, w.values<float>().begin());
  check_close(numbers(quantise(w, Dtype::nf4_64)), {-2.0, -2 * 0.39491748809814453, 0.0, 2 * 0.07958029955625534, 2.0}, 1e-7);
}

TEST_CASE("quantise: bf16 sources, rows and columns of zeros, one column") {
  const Tensor w = normal(6, 40);
  for (const Dtype type : kTypes) {
    CHECK(numbers(quantise(w.to(Dtype::bf16), type)) == numbers(quantise(w.to(Dtype::bf16).to(Dtype::f32), type)));
    CHECK(numbers(quantise(Tensor(Dtype::f32, {3, 33}), type)) == std::vector<double>(99, 0.0));
    CHECK(quantise(normal(3, 1), type).to(Dtype::f64).count() == 3);
  }
}

TEST_CASE("quantise: rows of a quantised matrix are converted") {
  const Tensor w = normal(7, 40);
  for (const Dtype type : kTypes) {
    const Tensor q = quantise(w, type), part = q.rows(2, 3);
    CHECK(part.dtype() == Dtype::f32);
    CHECK(numbers(part) == numbers(q.to(Dtype::f32).rows(2, 3)));
  }
}

TEST_CASE("quantise: errors against the source") {
  const Tensor w = normal(32, 128);
  const auto error = [&](Dtype type) { return quantisation_error(quantise(w, type), w).relative; };
  CHECK(error(Dtype::int8_rows) > 0.003);
  CHECK(error(Dtype::int8_rows) < 0.01);
  CHECK(error(Dtype::int8_columns) < 0.01);
  CHECK(error(Dtype::nf4_64) < 0.1);
  CHECK(error(Dtype::nf4_32) < error(Dtype::nf4_64));
  CHECK(error(Dtype::nf4_64) < error(Dtype::int4_64));
  CHECK(error(Dtype::int4_32) < error(Dtype::int4_64));
  CHECK(quantisation_error(w, w).relative == 0);
  CHECK(quantisation_error(Tensor(Dtype::f32, {2, 2}), Tensor(Dtype::f32, {2, 2})).relative == 0);
}

TEST_CASE("quantise: rejects vectors, whole numbers, types of GGUF and values that are not finite") {
  CHECK_THROWS_WITH_AS(quantise(Tensor(Dtype::f32, {4}), Dtype::nf4_64), "quantise: [4] was given; wanted a matrix", ShapeError);
  CHECK_THROWS_AS(quantise(Tensor(Dtype::i32, {4, 4}), Dtype::nf4_64), DtypeError);
  CHECK_THROWS_AS(quantise(Tensor(Dtype::f32, {4, 256}), Dtype::q4_k), DtypeError);
  for (const Dtype type : kTypes) {
    Tensor w = normal(4, 40);
    w.values<float>()[50] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS(quantise(w, type), "quantise: a matrix [4, 40] with a value that is not finite was given; wanted finite numbers",
                         Error);
    w.values<float>()[50] = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(quantise(w, type), Error);
  }
}

}  // namespace quantise_test
