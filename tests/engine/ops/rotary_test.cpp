#include "engine/ops/rotary.h"

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/gather_rows.h"
#include "engine/runtime/compile.h"
#include "tests/support/gradient_check.h"
#include "tests/support/graphs.h"
#include "tests/support/values.h"

namespace rotary_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Rows of two heads at some positions, each head's first four of `dim` columns turned.
GradientCase turned(const std::vector<std::int32_t>& positions, std::int64_t dim, double factor = 1) {
  const auto rows = static_cast<std::int32_t>(positions.size());
  Tensor places(Dtype::i32, {rows});
  std::ranges::copy(positions, places.values<std::int32_t>().begin());
  return {{{"r", Segments(std::array{rows})}},
          {{"x", random_tensor({rows, 2 * dim}, 1), "r"}, {"positions", places, "r"}},
          [factor](Graph&, const std::vector<Value>& v) { return rotary(v[0], rotary_angles(v[1], {1.0, 0.25}, factor), 2); }};
}

}  // namespace

TEST_CASE("rotary: a quarter of a turn by hand") {
  const double quarter = std::numbers::pi / 2;
  const GradientCase test{{{"r", Segments(std::array{2})}},
                          {{"x", doubles({2, 3}, {1, 2, 7, 1, 2, 7}), "r"}, {"positions", indices({0, 1}), "r"}},
                          [quarter](Graph&, const auto& v) { return rotary(v[0], rotary_angles(v[1], {quarter}, 2), 1); }};
  // (1, 2) becomes (-2, 1), times 2; the third column is copied
  check_close(evaluate(test), {2, 4, 7, -4, 2, 7});
}

TEST_CASE("rotary: heads are turned by the angles of their row, what is behind the angles is copied") {
  const GradientCase test = turned({5, 0, 1000}, 5);
  const Tensor y = evaluate(test);
  const auto x = test.operands[0].values.values<double>();
  const std::array<double, 3> positions = {5, 0, 1000};
  for (std::size_t r = 0; r < 3; ++r) {
    for (std::size_t h = 0; h < 2; ++h) {
      const std::size_t first = r * 10 + h * 5;
      for (std::size_t i = 0; i < 2; ++i) {
        const double angle = positions[r] * (i == 0 ? 1.0 : 0.25);
        CHECK(y.values<double>()[first + i] == doctest::Approx(std::cos(angle) * x[first + i] - std::sin(angle) * x[first + 2 + i]));
        CHECK(y.values<double>()[first + 2 + i] == doctest::Approx(std::cos(angle) * x[first + 2 + i] + std::sin(angle) * x[first + i]));
      }
      CHECK(y.values<double>()[first + 4] == x[first + 4]);
    }
  }
}

TEST_CASE("rotary: gradients") {
  check_gradients(turned({3, 0, 7, 7, 200}, 4));
  check_gradients(turned({3, 1}, 6, 1.25));
  check_gradients(turned({}, 4));
}

TEST_CASE("rotary: sequences behind the original length have frequencies of their own") {
  // rows of sequences with 8, 4 and 9 positions, where 4 are the pretraining's: s = 2 n/4 - 1
  const std::array<double, 3> ratios = {3, 1, 3.5};
  const std::array<double, 3> positions = {7, 3, 2};
  const std::array<double, 3> frequencies = {1, 0.5, 0.1};
  const GradientCase test{{{"r", Segments(std::array{3})}},
                          {{"positions", indices({7, 3, 2}), "r"}, {"counts", indices({8, 4, 9}), "r"}},
                          [](Graph&, const auto& v) { return rotary_angles(v[0], v[1], {1, 0.5, 0.1}, 2, {.factor = 2, .original_length = 4}); }};
  std::vector<double> expected;
  for (std::size_t r = 0; r < 3; ++r) {
    std::vector<double> angles;
    for (std::size_t i = 0; i < 3; ++i) angles.push_back(positions[r] * frequencies[i] * std::pow(ratios[r], -static_cast<double>(i) / 2));
    for (const double angle : angles) expected.push_back(2 * std::cos(angle));
    for (const double angle : angles) expected.push_back(2 * std::sin(angle));
  }
  check_close(evaluate(test), expected);
}

TEST_CASE("rotary: keeps the angles alone") { CHECK(kept_values(turned({1, 2}, 4), {"x"}) == std::vector<std::string>{"rotary_angles#0"}); }

TEST_CASE("rotary: a gathered row keeps its position") {
  GradientCase test = turned({4, 9, 2, 30}, 4);
  test.spaces.emplace_back("some", Segments(std::array{2}));
  test.operands.push_back({"index", indices({3, 1}), "some"});
  const auto turn = test.build;
  test.build = [turn](Graph& graph, const std::vector<Value>& v) { return gather_rows(turn(graph, v), v[2]); };
  check_gradients(test);
  Graph graph(Dtype::f32);
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const RowSpaceId some = graph.rows("some", 2, 1);
  const Value x = graph.input("x", {Dtype::f32, rows, {8}});
  const Value angles = rotary_angles(graph.input("positions", {Dtype::i32, rows, {}}), {1.0}, 1);
  graph.output("y", gather_rows(rotary(x, angles, 2), graph.input("index", {Dtype::i32, some, {}})));
  const auto program = compile(std::move(graph));
  for (const auto& node : program->graph().nodes()) {
    if (node.op && node.op->name().starts_with("rotary")) CHECK(program->graph().rows(node.outputs[0].rows).name == "some");
  }
}

TEST_CASE("rotary: rejects operands that do not fit") {
  Graph graph(Dtype::f32);
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value x = graph.input("x", {Dtype::f32, rows, {6}});
  const Value positions = graph.input("positions", {Dtype::i32, rows, {}});
  CHECK_THROWS_WITH_AS((void)rotary_angles(positions, {}, 1), "rotary_angles: 0 frequencies with the factor 1 were given; wanted finite ones",
                       ConfigError);
  CHECK_THROWS_AS((void)rotary_angles(positions, positions, {1.0}, 1, {.factor = 2, .original_length = 4}), ConfigError);
  CHECK_THROWS_AS((void)rotary_angles(positions, positions, {1.0, 0.5}, 1, {.factor = 0.5, .original_length = 4}), ConfigError);
  CHECK_THROWS_AS((void)rotary_angles(positions, positions, {1.0, 0.5}, 1, {.factor = 2, .original_length = 0}), ConfigError);
  const Value others = graph.input("others", {Dtype::i32, graph.rows("others", 4, 1), {}});
  CHECK_THROWS_WITH_AS((void)rotary_angles(positions, others, {1.0, 0.5}, 1, {.factor = 2, .original_length = 4}),
                       "rotary_angles: counts are I32 others[4] x [] and positions I32 r[4] x []; wanted the same rows", ShapeError);
  const Value angles = rotary_angles(positions, {1.0, 0.5}, 1);
  CHECK_THROWS_WITH_AS((void)rotary(x, angles, 4), "rotary: x is F32 r[4] x [6] and 4 heads were given; wanted a width that they divide",
                       ConfigError);
  CHECK_THROWS_WITH_AS((void)rotary(x, angles, 2), "rotary: angles are F32 r[4] x [4] and x is F32 r[4] x [6]; wanted its rows and an even number of at most 3",
                       ShapeError);
  CHECK_NOTHROW((void)rotary(x, angles, 1));
}

}  // namespace rotary_test
