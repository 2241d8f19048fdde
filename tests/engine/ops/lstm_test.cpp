#include "engine/ops/lstm.h"

#include <array>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/columns.h"
#include "engine/ops/linear.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace lstm_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int64_t kHidden = 2;

GradientCase recurrent(const Segments& segments, bool reversed) {
  return {{{"r", segments}},
          {{"x", random_tensor({segments.rows(), 4 * kHidden}, 1), "r"},
           {"w", random_tensor({4 * kHidden, kHidden}, 2)},
           {"b", random_tensor({4 * kHidden}, 3)}},
          [reversed](Graph&, const auto& v) { return lstm(v[0], v[1], v[2], reversed); }};
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// The definition, row by row.
std::vector<double> naive(const GradientCase& test, const Segments& segments, bool reversed) {
  const auto x = numbers(test.operands[0].values);
  const auto w = numbers(test.operands[1].values);
  const auto b = numbers(test.operands[2].values);
  std::vector<double> out(static_cast<std::size_t>(segments.rows() * kHidden));
  for (std::int32_t s = 0; s < segments.count(); ++s) {
    std::vector<double> h(kHidden), c(kHidden);
    for (std::int32_t t = 0; t < segments.length(s); ++t) {
      const std::int64_t r = reversed ? segments.offset(s) + segments.length(s) - 1 - t : segments.offset(s) + t;
      std::vector<double> z(4 * kHidden);
      for (std::size_t k = 0; k < z.size(); ++k) {
        z[k] = x[static_cast<std::size_t>(r) * z.size() + k] + b[k];
        for (std::size_t j = 0; j < kHidden; ++j) z[k] += w[k * kHidden + j] * h[j];
      }
      for (std::size_t j = 0; j < kHidden; ++j) {
        c[j] = sigmoid(z[kHidden + j]) * c[j] + sigmoid(z[j]) * std::tanh(z[2 * kHidden + j]);
        h[j] = sigmoid(z[3 * kHidden + j]) * std::tanh(c[j]);
        out[static_cast<std::size_t>(r * kHidden) + j] = h[j];
      }
    }
  }
  return out;
}

}  // namespace

TEST_CASE("lstm: follows its definition in both directions, each segment by itself") {
  const Segments segments(std::array{4, 0, 1, 3});
  for (const bool reversed : {false, true}) {
    CAPTURE(reversed);
    const auto test = recurrent(segments, reversed);
    check_close(evaluate(test), naive(test, segments, reversed));
    check_close(evaluate(test, Dtype::f32), naive(test, segments, reversed), 1e-6);
  }
}

TEST_CASE("lstm: gradients of every subset of operands") {
  for (const bool reversed : {false, true}) {
    CAPTURE(reversed);
    check_gradients(recurrent(Segments(std::array{3, 1, 2}), reversed));
  }
}

TEST_CASE("lstm: gradients through two directions and a linear map") {
  const GradientCase test{{{"r", Segments(std::array{3})}},
                          {{"x", random_tensor({3, 3}, 1), "r"},
                           {"ih", random_tensor({8, 3}, 2)},
                           {"hh", random_tensor({8, 2}, 3)},
                           {"b", random_tensor({8}, 4)}},
                          [](Graph&, const auto& v) {
                            const Value z = linear(v[0], v[1], v[3]);
                            return concat_columns(std::array{lstm(z, v[2], v[3], false), lstm(z, v[2], v[3], true)});
                          }};
  check_gradients(test);
}

TEST_CASE("lstm: keeps gates, cells and its result") {
  CHECK(kept_values(recurrent(Segments(std::array{3}), false), {"x"}) == std::vector<std::string>{"lstm#0", "lstm#1", "lstm#2", "w"});
}

TEST_CASE("lstm: rejects other shapes") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value x = graph.input("x", {Dtype::f32, rows, {8}});
  const Value w = graph.frozen("w", Tensor(Dtype::f32, {8, 2}));
  const Value square = graph.frozen("square", Tensor(Dtype::f32, {8, 3}));
  const Value b = graph.frozen("b", Tensor(Dtype::f32, {8}));
  const Value narrow = graph.input("narrow", {Dtype::f32, rows, {4}});
  const Value half = graph.frozen("half", Tensor(Dtype::f32, {4}));
  CHECK_THROWS_WITH_AS(lstm(x, square, b, false), "lstm: w is F32 [8, 3]; wanted [4H, H]", ShapeError);
  CHECK_THROWS_WITH_AS(lstm(narrow, w, b, false), "lstm: x is F32 r[4] x [4]; wanted rows of 8 elements", ShapeError);
  CHECK_THROWS_WITH_AS(lstm(x, w, half, false), "lstm: b is F32 [4]; wanted [8]", ShapeError);
}

}  // namespace lstm_test
