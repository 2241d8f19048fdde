#include "engine/ops/norm.h"

#include <array>
#include <cmath>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace norm_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr double kEpsilon = 1e-5;

/// Operands x, scale, bias, residual of 5 rows of 6.
GradientCase of(std::function<Value(Graph&, const std::vector<Value>&)> build, std::int32_t rows = 5) {
  return {{{"r", Segments(std::array{rows, 0})}},
          {{"x", random_tensor({rows, 6}, 1), "r"},
           {"scale", random_tensor({6}, 2)},
           {"bias", random_tensor({6}, 3)},
           {"residual", random_tensor({rows, 6}, 4), "r"}},
          std::move(build)};
}

GradientCase without(GradientCase test, const std::string& name) {
  std::erase_if(test.operands, [&](const Operand& operand) { return operand.name == name; });
  return test;
}

/// y of one row by the formula, in double.
std::vector<double> normalised(const std::vector<double>& x, bool centered, double epsilon) {
  const double n = static_cast<double>(x.size());
  double mean = 0, squares = 0;
  for (const double v : x) mean += centered ? v / n : 0;
  for (const double v : x) squares += (v - mean) * (v - mean) / n;
  std::vector<double> y;
  for (const double v : x) y.push_back((v - mean) / std::sqrt(squares + epsilon));
  return y;
}

}  // namespace

TEST_CASE("norm: rows of three numbers") {
  const std::vector<Operand> operands = {
      {"x", doubles({2, 3}, {1, 2, 2, 0, 3, -3}), "r"}, {"g", doubles({3}, {1, 2, -1})}, {"b", doubles({3}, {0, 1, 10})}};
  const auto value = [&](auto build) {
    return evaluate({{{"r", Segments(std::array{2})}}, operands, [build](Graph&, const std::vector<Value>& v) { return build(v); }});
  };
  const double a = 1 / std::sqrt(3.0), b = 1 / std::sqrt(6.0);
  check_close(value([](const auto& v) { return rms_norm(v[0], v[1], 0); }), {a, 4 * a, -2 * a, 0, 6 * b, 3 * b});
  check_close(value([](const auto& v) { return rms_norm(v[0], {}, 3); }), {b, 2 * b, 2 * b, 0, 1, -1});
  // mean 5 / 3, variance 2 / 9; mean 0, variance 6
  const double c = std::sqrt(4.5) / 3;
  check_close(value([](const auto& v) { return layer_norm(v[0], v[1], v[2], 0); }), {-2 * c, 2 * c + 1, -c + 10, 0, 6 * b + 1, 3 * b + 10});
  check_close(value([](const auto& v) { return layer_norm(v[0], {}, v[2], 0); }), {-2 * c, c + 1, c + 10, 0, 3 * b + 1, -3 * b + 10});
}

TEST_CASE("norm: with a residual, both the norm of the sum and the sum") {
  const std::vector<Operand> operands = {{"x", doubles({1, 2}, {1, 2}), "r"}, {"residual", doubles({1, 2}, {2, 2}), "r"}};
  const auto value = [&](auto build) {
    return evaluate({{{"r", Segments(std::array{1})}}, operands, [build](Graph&, const std::vector<Value>& v) { return build(v); }});
  };
  check_close(value([](const auto& v) { return add_rms_norm(v[0], v[1], {}, 0).sum; }), {3, 4});
  check_close(value([](const auto& v) { return add_rms_norm(v[0], v[1], {}, 0).y; }), {3 / std::sqrt(12.5), 4 / std::sqrt(12.5)});
  check_close(value([](const auto& v) { return add_layer_norm(v[0], v[1], {}, {}, 0).y; }), {-1, 1});
}

TEST_CASE("norm: gradients") {
  const auto rms = [](Graph&, const auto& v) { return rms_norm(v[0], v[1], kEpsilon); };
  const auto layer = [](Graph&, const auto& v) { return layer_norm(v[0], v[1], v[2], kEpsilon); };
  check_gradients(without(without(of(rms), "residual"), "bias"));
  check_gradients(without(of(layer), "residual"));
  const auto bare = [](Graph&, const auto& v) { return add(rms_norm(v[0], {}, kEpsilon), layer_norm(v[0], {}, {}, kEpsilon)); };
  check_gradients(without(without(without(of(bare), "residual"), "bias"), "scale"));
  const auto shifted = [](Graph&, const auto& v) { return layer_norm(v[0], {}, v[1], kEpsilon); };
  check_gradients(without(without(of(shifted), "residual"), "scale"));
}

TEST_CASE("norm: gradients through y, through the sum, and through both") {
  const auto y = [](const NormAndSum& n) { return n.y; };
  const auto mixed = [](const NormAndSum& n) { return add(multiply(n.y, n.sum), n.y); };
  const auto layer = [](const auto& v) { return add_layer_norm(v[0], v[3], v[1], v[2], kEpsilon); };
  check_gradients(of([&](Graph&, const auto& v) { return y(layer(v)); }));
  check_gradients(of([&](Graph&, const auto& v) { return mixed(layer(v)); }));
  const auto rms = [](const auto& v) { return add_rms_norm(v[0], v[2], v[1], kEpsilon); };
  check_gradients(without(of([&](Graph&, const auto& v) { return y(rms(v)); }), "bias"));
  check_gradients(without(of([&](Graph&, const auto& v) { return mixed(rms(v)); }), "bias"));
  const auto sum_alone = [](Graph&, const auto& v) { return add_rms_norm(v[0], v[1], {}, kEpsilon).sum; };
  check_gradients(without(without(of(sum_alone), "scale"), "bias"));
}

TEST_CASE("norm: blocks of columns are rows of their own") {
  const std::vector<Operand> operands = {{"x", doubles({1, 4}, {3, 4, 0, -2}), "r"}, {"scale", doubles({2}, {1, 2})}};
  const GradientCase halves{{{"r", Segments(std::array{1})}}, operands, [](Graph&, const auto& v) { return rms_norm_of_parts(v[0], v[1], 0, 2); }};
  const double a = 1 / std::sqrt(12.5), b = 1 / std::sqrt(2.0);
  check_close(evaluate(halves), {3 * a, 8 * a, 0, -4 * b});
  const auto thirds = [](Graph&, const auto& v) { return rms_norm_of_parts(v[0], v[1], kEpsilon, 3); };
  for (const std::int32_t rows : {1, 5, 40}) {
    check_gradients({{{"r", Segments(std::array{rows})}}, {{"x", random_tensor({rows, 6}, 1), "r"}, {"scale", random_tensor({2}, 2)}}, thirds});
  }
  // the gradient of a sum with the norm's input joins the norm's own; the norm of a sum stays by itself
  const auto both = [](Graph&, const auto& v) { return add(v[0], rms_norm_of_parts(add(v[0], v[0]), v[1], kEpsilon, 3)); };
  check_gradients({{{"r", Segments(std::array{4})}}, {{"x", random_tensor({4, 6}, 1), "r"}, {"scale", random_tensor({2}, 2)}}, both});
}

TEST_CASE("norm: rejects parts that do not divide a row") {
  Graph graph(Dtype::f32);
  const Value x = graph.input("x", {Dtype::f32, graph.rows("r", 2, 1), {6}});
  CHECK_THROWS_WITH_AS((void)rms_norm_of_parts(x, {}, 0, 4), "norm: x is F32 r[2] x [6] and 4 parts were given; wanted a width that they divide",
                       ConfigError);
}

TEST_CASE("norm: a gradient for a large number of rows adds blocks up") {
  GradientCase test{{{"r", Segments(std::array{150})}},
                    {{"x", random_tensor({150, 3}, 1), "r"}, {"scale", random_tensor({3}, 2)}, {"bias", random_tensor({3}, 3)}},
                    [](Graph&, const auto& v) { return layer_norm(v[0], v[1], v[2], kEpsilon); }};
  test.operands[0].differentiable = false;
  check_gradients(test);
}

TEST_CASE("norm: keeps its input and the scale, nothing else") {
  const GradientCase plain = of([](Graph&, const auto& v) { return layer_norm(v[0], v[1], v[2], kEpsilon); });
  CHECK(kept_values(plain, {"x"}) == std::vector<std::string>{"scale", "x"});
  CHECK(kept_values(plain, {"bias"}) == std::vector<std::string>{"scale", "x"});
  const GradientCase summed = of([](Graph&, const auto& v) { return add_rms_norm(v[0], v[3], v[1], kEpsilon).y; });
  CHECK(kept_values(summed, {"x", "residual"}) == std::vector<std::string>{"norm#1", "scale"});
}

TEST_CASE("norm: no rows and one row") {
  for (const std::int32_t rows : {0, 1}) {
    CAPTURE(rows);
    check_gradients(of([](Graph&, const auto& v) { return add_layer_norm(v[0], v[3], v[1], v[2], kEpsilon).y; }, rows));
  }
}

TEST_CASE("norm: floats are exact to their own precision, also far from 0") {
  constexpr std::int64_t kWidth = 1000;
  for (const double offset : {0.0, 100.0}) {
    CAPTURE(offset);
    Tensor x = random_tensor({1, kWidth}, 9);
    for (auto& v : x.values<double>()) v = static_cast<double>(static_cast<float>(v + offset));
    for (const bool layer : {false, true}) {
      const GradientCase test{{{"r", Segments(std::array{1})}}, {{"x", x, "r"}}, [layer](Graph&, const auto& v) {
                                return layer ? layer_norm(v[0], {}, {}, 1e-6) : rms_norm(v[0], {}, 1e-6);
                              }};
      // the mean, rounded to float, is off by at most 2^-24 of the offset; the deviation is 0.58
      check_close(numbers(evaluate(test, Dtype::f32)), normalised(numbers(x), layer, 1e-6), 1.5e-7 + (layer ? offset * 0x1p-24 / 0.58 : 0));
    }
  }
}

TEST_CASE("norm: a constant row has deviation 0, not NaN") {
  const GradientCase test{{{"r", Segments(std::array{1})}}, {{"x", doubles({1, 3}, {7.1, 7.1, 7.1}), "r"}}, [](Graph&, const auto& v) {
                            return layer_norm(v[0], {}, {}, 1e-6);
                          }};
  check_close(evaluate(test), {0, 0, 0});
}

TEST_CASE("norm: rejects parameters and residuals of other sizes") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value x = graph.input("x", {Dtype::f32, rows, {3}});
  const Value other = graph.input("other", {Dtype::f32, rows, {2}});
  const Value scale = graph.frozen("scale", Tensor(Dtype::f32, {2}));
  const Value stored = graph.frozen("stored", Tensor(Dtype::bf16, {3}));
  CHECK_THROWS_WITH_AS(rms_norm(x, scale, 1e-6), "norm: scale is F32 [2]; wanted [3]", ShapeError);
  CHECK_THROWS_WITH_AS(rms_norm(x, stored, 1e-6), "norm: scale is BF16 [3]; wanted F32", DtypeError);
  CHECK_THROWS_WITH_AS(layer_norm(x, {}, scale, 1e-6), "norm: bias is F32 [2]; wanted [3]", ShapeError);
  CHECK_THROWS_WITH_AS(rms_norm(scale, {}, 1e-6), "norm: x is F32 [2]; wanted rows", ShapeError);
  CHECK_THROWS_WITH_AS(rms_norm(x, {}, -1), "norm: epsilon is -1; wanted a number >= 0", ConfigError);
  CHECK_THROWS_WITH_AS(add_rms_norm(x, other, {}, 0).y, "norm: operands are F32 r[4] x [3] and F32 r[4] x [2]; wanted equal types",
                       ShapeError);
}

}  // namespace norm_test
