#include "engine/ops/elementwise.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/runtime/session.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace elementwise_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

const std::int32_t kLengths[] = {2, 3};

GradientCase of_rows(std::function<Value(Graph&, const std::vector<Value>&)> build) {
  return {{{"r", Segments(kLengths)}}, {{"a", random_tensor({5, 3}, 1), "r"}, {"b", random_tensor({5, 3}, 2), "r"}}, std::move(build)};
}

GradientCase of_plain(std::function<Value(Graph&, const std::vector<Value>&)> build) {
  return {{}, {{"a", random_tensor({4, 2}, 1)}, {"b", random_tensor({4, 2}, 2)}}, std::move(build)};
}

}  // namespace

TEST_CASE("elementwise: sums, products and scalings of two by two numbers") {
  const std::vector<Operand> operands = {
      {"a", doubles({2, 2}, {1, -2, 3, 4})}, {"b", doubles({2, 2}, {0.5, 2, -1, 10})}, {"s", doubles({}, {-3})}};
  const auto value = [&](auto build) {
    return evaluate({{}, operands, [build](Graph& g, const std::vector<Value>& v) { return build(g, v); }});
  };
  check_close(value([](Graph&, const auto& v) { return add(v[0], v[1]); }), {1.5, 0, 2, 14});
  check_close(value([](Graph&, const auto& v) { return multiply(v[0], v[1]); }), {0.5, -4, -3, 40});
  check_close(value([](Graph&, const auto& v) { return scale(v[0], 2.5); }), {2.5, -5, 7.5, 10});
  check_close(value([](Graph&, const auto& v) { return scale_by(v[0], v[2]); }), {-3, 6, -9, -12});
  check_close(value([](Graph&, const auto& v) { return dot(v[0], v[1]); }), {33.5});
  check_close(value([](Graph& g, const auto& v) { return scale_by(v[0], constant(g, 0.25)); }), {0.25, -0.5, 0.75, 1});
}

TEST_CASE("elementwise: gradients of rows") {
  check_gradients(of_rows([](Graph&, const auto& v) { return add(v[0], v[1]); }));
  check_gradients(of_rows([](Graph&, const auto& v) { return multiply(v[0], v[1]); }));
  check_gradients(of_rows([](Graph&, const auto& v) { return scale(add(v[0], v[1]), -1.75); }));
  check_gradients(of_rows([](Graph&, const auto& v) { return dot(v[0], v[1]); }));
  check_gradients(of_rows([](Graph&, const auto& v) { return scale_by(v[0], dot(v[0], v[1])); }));
}

TEST_CASE("elementwise: gradients of values without rows") {
  check_gradients(of_plain([](Graph&, const auto& v) { return add(v[0], v[1]); }));
  check_gradients(of_plain([](Graph&, const auto& v) { return multiply(v[0], v[1]); }));
  check_gradients(of_plain([](Graph&, const auto& v) { return scale(add(v[0], v[1]), -1.75); }));
  check_gradients(of_plain([](Graph&, const auto& v) { return scale_by(v[0], dot(v[0], v[1])); }));
}

TEST_CASE("elementwise: a value that is both operands gets both gradients") {
  check_gradients(of_rows([](Graph&, const auto& v) { return add(multiply(v[0], v[0]), v[1]); }));
  check_gradients(of_rows([](Graph&, const auto& v) { return add(add(v[0], v[0]), v[1]); }));
  check_gradients(of_rows([](Graph&, const auto& v) { return scale_by(v[1], dot(v[0], v[0])); }));
}

TEST_CASE("elementwise: a sum keeps nothing, a product keeps the other factor") {
  const auto sum = of_rows([](Graph&, const auto& v) { return add(v[0], v[1]); });
  const auto product = of_rows([](Graph&, const auto& v) { return multiply(v[0], v[1]); });
  CHECK(kept_values(sum, {"a", "b"}).empty());
  CHECK(kept_values(product, {"a"}) == std::vector<std::string>{"b"});
  CHECK(kept_values(product, {"a", "b"}) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("elementwise: scaling by the constant 1 adds no node") {
  Graph graph;
  const Value x = graph.frozen("x", Tensor(Dtype::f32, {3}));
  const Value one = constant(graph, 1);
  const auto nodes = graph.size();
  CHECK(scale_by(x, one) == x);
  CHECK(graph.size() == nodes);
  CHECK_FALSE(scale_by(x, constant(graph, 1.5)) == x);
}

TEST_CASE("elementwise: no rows and one row") {
  for (const std::int32_t rows : {0, 1}) {
    CAPTURE(rows);
    Segments segments;
    segments.append(rows);
    segments.append(0);
    const GradientCase test{{{"r", segments}},
                            {{"a", random_tensor({rows, 3}, 1), "r"}, {"b", random_tensor({rows, 3}, 2), "r"}},
                            [](Graph&, const auto& v) { return dot(add(v[0], v[1]), multiply(v[0], v[1])); }};
    check_gradients(test);
    if (rows == 0) check_close(evaluate(test), {0});
  }
}

TEST_CASE("elementwise: dot of a million floats is as exact as its result") {
  constexpr std::int64_t kCount = 1 << 20;
  Tensor x(Dtype::f64, {kCount});
  for (std::int64_t i = 0; i < kCount; ++i) x.values<double>()[static_cast<std::size_t>(i)] = 1 + static_cast<double>(i % 7) * 0x1p-6;
  double expected = 0;
  for (const double value : x.values<double>()) expected += value * value;
  const GradientCase test{{}, {{"x", x}}, [](Graph&, const auto& v) { return dot(v[0], v[0]); }};
  check_close(evaluate(test, Dtype::f32), {expected}, 1e-7);
}

TEST_CASE("elementwise: rejects operands of other types") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value a = graph.input("a", {Dtype::f32, rows, {3}});
  const Value b = graph.input("b", {Dtype::f32, rows, {2}});
  const Value i = graph.input("i", {Dtype::i32, rows, {}});
  CHECK_THROWS_WITH_AS(add(a, b), "add: operands are F32 r[4] x [3] and F32 r[4] x [2]; wanted equal types", ShapeError);
  CHECK_THROWS_WITH_AS(multiply(a, b), "multiply: operands are F32 r[4] x [3] and F32 r[4] x [2]; wanted equal types", ShapeError);
  CHECK_THROWS_WITH_AS(dot(a, b), "dot: operands are F32 r[4] x [3] and F32 r[4] x [2]; wanted equal types", ShapeError);
  CHECK_THROWS_WITH_AS(add(i, i), "add: a is I32 r[4] x []; wanted F32", DtypeError);
  CHECK_THROWS_WITH_AS(scale(i, 2), "scale: x is I32 r[4] x []; wanted F32", DtypeError);
  CHECK_THROWS_WITH_AS(scale_by(a, b), "scale_by: s is F32 r[4] x [2]; wanted []", ShapeError);
}

}  // namespace elementwise_test
