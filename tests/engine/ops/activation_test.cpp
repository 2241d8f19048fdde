#include "engine/ops/activation.h"

#include <array>
#include <limits>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/norm.h"
#include "tests/support/activations.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace activation_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

GradientCase of(ActivationKind kind, std::int32_t rows, std::int64_t width, bool plain = false) {
  Tensor x = random_tensor({rows, width}, 5);
  // away from the kink of relu
  for (auto& v : x.values<double>()) v = 3 * v + (v < 0 ? -0.01 : 0.01);
  return {
      {{"r", Segments(std::array{rows})}}, {{"x", x, plain ? "" : "r"}}, [kind](Graph&, const auto& v) { return activation(v[0], kind); }};
}

}  // namespace

TEST_CASE("activation: values at -1, 0 and 1") {
  const auto value = [](ActivationKind kind) {
    return evaluate({{{"r", Segments(std::array{1})}}, {{"x", doubles({1, 3}, {-1, 0, 1}), "r"}}, [kind](Graph&, const auto& v) {
                       return activation(v[0], kind);
                     }});
  };
  check_close(value(ActivationKind::relu), {0, 0, 1});
  check_close(value(ActivationKind::gelu), {-0.158655253931457, 0, 0.841344746068543});
  check_close(value(ActivationKind::gelu_tanh), {-0.158808009391723, 0, 0.841191990608277});
  check_close(value(ActivationKind::silu), {-0.268941421369995, 0, 0.731058578630005});
  check_close(value(ActivationKind::tanh), {-0.761594155955765, 0, 0.761594155955765});
  check_close(value(ActivationKind::sigmoid), {0.268941421369995, 0.5, 0.731058578630005});
  check_close(value(ActivationKind::quick_gelu), {-0.1542042340671787, 0, 0.8457957659328212});
  check_close(value(ActivationKind::clipped_gelu), {-0.158655253931457, 0, 0.841344746068543});
  check_close(value(ActivationKind::mish), {-0.30340146137410895, 0, 0.8650983882673103});
}

TEST_CASE("activation: clipped_gelu is 10 and flat where gelu is larger") {
  const GradientCase test{{}, {{"x", doubles({4}, {9.5, 10.5, 40, -40})}}, [](Graph&, const auto& v) {
                            return activation(v[0], ActivationKind::clipped_gelu);
                          }};
  check_close(evaluate(test), {9.5, 10, 10, 0});
  check_gradients(test);
}

TEST_CASE("activation: mish neither overflows nor cancels far from 0") {
  const GradientCase test{{}, {{"x", doubles({4}, {800, 30, -30, -800})}}, [](Graph&, const auto& v) {
                            return activation(v[0], ActivationKind::mish);
                          }};
  check_close(evaluate(test), {800, 30, -30 * 9.357622968839737e-14, 0});
}

TEST_CASE("activation: gradients") {
  for (const auto kind : kActivationKinds) {
    CAPTURE(name_of(kind));
    check_gradients(of(kind, 3, 11));
    check_gradients(of(kind, 3, 11, true));
    check_gradients(of(kind, 1, 1));
    check_gradients(of(kind, 0, 4));
  }
}

TEST_CASE("activation: the mask of relu covers widths that are no multiple of 8, or of a block") {
  for (const std::int64_t width : {1, 7, 8, 9, 16, 17, 63, 64, 65, 130}) {
    CAPTURE(width);
    check_gradients(of(ActivationKind::relu, 2, width));
  }
}

TEST_CASE("activation: keeps its result, a mask or its argument") {
  for (const auto kind : kActivationKinds) {
    CAPTURE(name_of(kind));
    // the argument comes from an op that is not recomputed for free
    GradientCase test = of(kind, 3, 11);
    test.operands.push_back({"s", doubles({11}, std::vector<double>(11, 1))});
    test.build = [kind](Graph&, const auto& v) { return activation(add_rms_norm(v[0], v[0], v[1], 0).sum, kind); };
    std::string kept = "norm#1";
    if (kind == ActivationKind::relu) kept = "activation#1";
    if (kind == ActivationKind::tanh || kind == ActivationKind::sigmoid) kept = "activation#0";
    const auto values = kept_values(test, {"x"});
    REQUIRE(values.size() == 1);
    CHECK(values[0] == kept);
  }
}

TEST_CASE("activation: the mask has one bit an element") {
  Graph graph;
  const Value x = graph.input("x", {Dtype::f32, graph.rows("r", 4, 1), {19}});
  const Value y = activation(x, ActivationKind::relu);
  CHECK(graph.node(y).outputs.size() == 2);
  CHECK(graph.node(y).outputs[1] == Type{Dtype::u8, x.type().rows, {3}});
  CHECK(graph.node(activation(x, ActivationKind::gelu)).outputs.size() == 1);
}

TEST_CASE("activation: floats agree with the formulas") {
  // from -20 to 20, and tiny and huge numbers
  std::vector<double> x;
  for (int i = -4000; i <= 4000; ++i) x.push_back(static_cast<double>(static_cast<float>(i * 0.005 + 1e-4)));
  for (const double v : {1e-30, -1e-30, 1e-6, 60.0, 1e4, 1e10}) x.push_back(static_cast<double>(static_cast<float>(v)));
  for (const auto kind : kActivationKinds) {
    CAPTURE(name_of(kind));
    const GradientCase test{
        {}, {{"x", doubles({static_cast<std::int64_t>(x.size())}, x)}}, [kind](Graph&, const auto& v) { return activation(v[0], kind); }};
    const auto y = numbers(evaluate(test, Dtype::f32));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected = activated(kind, x[i]);
      // gelu subtracts from 1 where x < 0: exact to the precision of x there; the argument of gelu_tanh's exponential is rounded
      const double scale = kind == ActivationKind::gelu || kind == ActivationKind::clipped_gelu ? std::abs(x[i]) : std::abs(expected);
      double slack = kind == ActivationKind::gelu_tanh || kind == ActivationKind::quick_gelu ? 1e-5 : 2.5e-7;
      // a quotient of polynomials of the exponential
      if (kind == ActivationKind::mish) slack = 1e-6;
      CHECK_MESSAGE(std::abs(y[i] - expected) <= slack * scale + 1e-30, "x ", x[i], ": ", y[i], " instead of ", expected);
    }
  }
}

TEST_CASE("activation: NaN stays NaN, and infinities give limits") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto kind : kActivationKinds) {
    CAPTURE(name_of(kind));
    const GradientCase test{
        {}, {{"x", doubles({2}, {std::nan(""), infinity})}}, [kind](Graph&, const auto& v) { return activation(v[0], kind); }};
    for (const auto real : {Dtype::f32, Dtype::f64}) {
      const auto y = numbers(evaluate(test, real));
      CHECK(std::isnan(y[0]));
      CHECK(y[1] == activated(kind, infinity));
    }
  }
}

TEST_CASE("activation: rejects whole numbers and kept values of another size") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value i = graph.input("i", {Dtype::i32, rows, {9}});
  const Value mask = graph.input("mask", {Dtype::u8, rows, {1}});
  const Value dy = graph.input("dy", {Dtype::f32, rows, {9}});
  CHECK_THROWS_WITH_AS(activation(i, ActivationKind::tanh), "activation: x is I32 r[4] x [9]; wanted F32", DtypeError);
  CHECK_THROWS_WITH_AS(graph.add(std::make_shared<ActivationGrad>(ActivationKind::relu), {mask, dy}),
                       "activation_grad: the kept value is U8 r[4] x [1]; wanted U8 r[4] x [2]", ShapeError);
}

}  // namespace activation_test
