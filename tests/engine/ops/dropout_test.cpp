#include "engine/ops/dropout.h"

#include <cmath>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "engine/core/random.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace dropout_test {

using namespace preamble;
using preamble::testing::check_gradients;
using preamble::testing::evaluate;
using preamble::testing::GradientCase;
using preamble::testing::indices;
using preamble::testing::numbers;
using preamble::testing::random_tensor;

namespace {

constexpr std::uint32_t kStream = 7;

Tensor ones(std::int64_t rows, std::int64_t width) {
  return testing::doubles({rows, width}, std::vector<double>(static_cast<std::size_t>(rows * width), 1.0));
}

/// dropout of x [rows, width] in segments of `lengths`.
GradientCase dropped(const Tensor& x, const std::vector<std::int32_t>& lengths, double rate,
                     const std::vector<std::int32_t>& key = {11, -5}, std::uint32_t stream = kStream) {
  GradientCase test;
  test.spaces = {{"rows", Segments(lengths)}};
  test.operands = {{"x", x, "rows"}, {"key", indices(key)}};
  test.build = [=](Graph&, const std::vector<Value>& v) { return dropout(v[0], v[1], rate, stream); };
  return test;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("dropout: an element is dropped where its word of Philox is below the rate") {
  constexpr std::int64_t kWidth = 6;  // two counters a row
  const std::vector<std::int32_t> key{11, -5};
  const auto found = numbers(evaluate(dropped(ones(5, kWidth), {3, 0, 2}, 0.25, key)));
  const std::vector<std::pair<std::uint32_t, std::uint32_t>> places{{0, 0}, {0, 1}, {0, 2}, {2, 0}, {2, 1}};
  for (std::size_t r = 0; r < places.size(); ++r) {
    for (std::size_t c = 0; c < kWidth; ++c) {
      const auto words = philox({static_cast<std::uint32_t>(c % 2), places[r].second, places[r].first, kStream},
                                {static_cast<std::uint32_t>(key[0]), static_cast<std::uint32_t>(key[1])});
      CHECK(found[r * kWidth + c] == doctest::Approx(words[c / 2] < 0x40000000U ? 0 : 1 / 0.75));
    }
  }
}

TEST_CASE("dropout: drops the given share and keeps the mean") {
  for (const double rate : {0.1, 0.5, 0.9}) {
    const auto found = numbers(evaluate(dropped(ones(100, 333), {60, 40}, rate)));
    // six standard deviations of the mean of 33300 scaled draws
    CHECK(std::abs(mean(found) - 1) < 6 * std::sqrt(rate / (1 - rate) / 33300));
  }
}

TEST_CASE("dropout: masks differ by key and stream, and not by the number of threads") {
  const Tensor x = ones(40, 50);
  const auto first = numbers(evaluate(dropped(x, {17, 23}, 0.5)));
  CHECK(numbers(evaluate(dropped(x, {17, 23}, 0.5))) == first);
  CHECK(numbers(evaluate(dropped(x, {17, 23}, 0.5, {11, -4}))) != first);
  CHECK(numbers(evaluate(dropped(x, {17, 23}, 0.5, {12, -5}))) != first);
  CHECK(numbers(evaluate(dropped(x, {17, 23}, 0.5, {11, -5}, kStream + 1))) != first);
  set_threads(1);
  const auto alone = numbers(evaluate(dropped(x, {17, 23}, 0.5)));
  set_threads(0);
  CHECK(alone == first);
}

TEST_CASE("dropout: a gathered row has the mask that it has among the others") {
  const Tensor x = random_tensor({7, 9}, 3);
  const auto all = numbers(evaluate(dropped(x, {4, 3}, 0.5)));
  Segments some;
  some.append(std::vector<std::int32_t>{1, 3});
  some.append(std::vector<std::int32_t>{2});
  GradientCase test = dropped(x, {4, 3}, 0.5);
  test.spaces.emplace_back("some", some);
  test.operands.push_back({"index", indices({1, 3, 6}), "some"});
  test.build = [](Graph&, const std::vector<Value>& v) { return gather_rows(dropout(v[0], v[1], 0.5, kStream), v[2]); };
  // pruning moves the gather in front of the dropout
  const auto found = numbers(evaluate(test));
  REQUIRE(found.size() == 27);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t row = i == 0 ? 1 : i == 1 ? 3 : 6;
    for (std::size_t c = 0; c < 9; ++c) CHECK(found[i * 9 + c] == all[row * 9 + c]);
  }
}

TEST_CASE("dropout: the gradient has the mask of the forward pass") {
  check_gradients(dropped(random_tensor({5, 13}, 1), {2, 0, 3}, 0.4));
  // also where a nonlinear reader makes the backward pass recompute it
  GradientCase test = dropped(random_tensor({5, 13}, 2), {5}, 0.4);
  test.build = [](Graph&, const std::vector<Value>& v) {
    const Value y = dropout(v[0], v[1], 0.4, kStream);
    return multiply(y, y);
  };
  check_gradients(test);
}

TEST_CASE("dropout: keeps nothing") { CHECK(testing::kept_values(dropped(random_tensor({5, 13}, 1), {5}, 0.4), {"x"}).empty()); }

TEST_CASE("dropout: no rows and a rate of 0") {
  CHECK(evaluate(dropped(Tensor(Dtype::f64, {0, 4}), {0, 0}, 0.5)).count() == 0);
  Graph graph;
  const Value x = graph.input("x", {Dtype::f32, graph.rows("rows", 4, 1), {3}});
  const Value key = graph.input("key", {Dtype::i32, kNoRows, {2}});
  CHECK(dropout(x, key, 0, kStream) == x);
}

TEST_CASE("dropout: rejects operands and rates that do not fit") {
  Graph graph;
  const Value x = graph.input("x", {Dtype::f32, graph.rows("rows", 4, 1), {3}});
  const Value key = graph.input("key", {Dtype::i32, kNoRows, {2}});
  const Value real_key = graph.input("real_key", {Dtype::f32, kNoRows, {2}});
  CHECK_THROWS_WITH_AS(dropout(x, key, 1, kStream), "dropout: a rate of 1 was given; wanted a number from 0 to below 1", ConfigError);
  CHECK_THROWS_WITH_AS(dropout(x, key, -0.5, kStream), "dropout: a rate of -0.5 was given; wanted a number from 0 to below 1", ConfigError);
  CHECK_THROWS_WITH_AS(dropout(x, real_key, 0.5, kStream), "dropout: key is F32 [2]; wanted I32", DtypeError);
}

}  // namespace dropout_test
