#include "engine/ops/columns.h"

#include <array>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace columns_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

Value joined(const std::vector<Value>& values) { return concat_columns(values); }

}  // namespace

TEST_CASE("columns: values are laid side by side, row by row") {
  const GradientCase rows{{{"r", Segments(std::array{2})}},
                          {{"a", doubles({2, 1}, {1, 2}), "r"}, {"b", doubles({2, 2}, {3, 4, 5, 6}), "r"}},
                          [](Graph&, const auto& v) {
                            return joined({v[0], v[1], v[0]});
                          }};
  check_close(evaluate(rows), {1, 3, 4, 1, 2, 5, 6, 2});
  const GradientCase plain{
      {}, {{"a", doubles({2, 1}, {1, 2})}, {"b", doubles({2, 2}, {3, 4, 5, 6})}}, [](Graph&, const auto& v) { return joined(v); }};
  check_close(evaluate(plain), {1, 3, 4, 2, 5, 6});
}

TEST_CASE("columns: a slice takes columns of every row") {
  const GradientCase plain{
      {}, {{"x", doubles({2, 3}, {1, 2, 3, 4, 5, 6})}}, [](Graph&, const auto& v) { return slice_columns(v[0], 1, 2); }};
  check_close(evaluate(plain), {2, 3, 5, 6});
  const GradientCase rows{{{"r", Segments(std::array{2})}}, {{"x", doubles({2, 3}, {1, 2, 3, 4, 5, 6}), "r"}}, [](Graph&, const auto& v) {
                            return slice_columns(v[0], 2, 1);
                          }};
  check_close(evaluate(rows), {3, 6});
}

TEST_CASE("columns: gradients") {
  for (const bool rows : {true, false}) {
    CAPTURE(rows);
    const std::string space = rows ? "r" : "";
    const GradientCase test{{{"r", Segments(std::array{3, 0, 1})}},
                            {{"a", random_tensor({4, 3}, 1), space}, {"b", random_tensor({4, 2}, 2), space}},
                            [](Graph&, const auto& v) {
                              return joined({slice_columns(v[0], 1, 2), v[1], v[0]});
                            }};
    check_gradients(test);
    CHECK(kept_values(test, {"a", "b"}).empty());
  }
}

TEST_CASE("columns: no rows") {
  const GradientCase test{{{"r", Segments(std::array{0})}}, {{"a", random_tensor({0, 3}, 1), "r"}}, [](Graph&, const auto& v) {
                            return joined({slice_columns(v[0], 0, 1), v[0]});
                          }};
  CHECK(evaluate(test).count() == 0);
}

TEST_CASE("columns: rejects other rows and columns that are not there") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value a = graph.input("a", {Dtype::f32, rows, {3}});
  const Value b = graph.input("b", {Dtype::f32, graph.rows("q", 4, 1), {3}});
  const Value heads = graph.input("heads", {Dtype::f32, rows, {2, 3}});
  const Value plain = graph.frozen("plain", Tensor(Dtype::f32, {4, 3}));
  CHECK_THROWS_WITH_AS(joined({a, b}), "concat_columns: values are F32 r[4] x [3] and F32 q[4] x [3]; wanted equal rows", ShapeError);
  CHECK_THROWS_WITH_AS(joined({a, plain}), "concat_columns: values are F32 r[4] x [3] and F32 [4, 3]; wanted equal rows", ShapeError);
  CHECK_THROWS_WITH_AS(joined({heads}), "concat_columns: a value is F32 r[4] x [2, 3]; wanted rows of numbers or [N, D]", ShapeError);
  CHECK_THROWS_WITH_AS(joined({}), "concat_columns: no values were given; wanted 1 to 32", ShapeError);
  CHECK_THROWS_WITH_AS(joined(std::vector(33, a)), "concat_columns: 33 values were given; wanted 1 to 32", ShapeError);
  CHECK_THROWS_WITH_AS(slice_columns(a, 2, 2), "slice_columns: x is F32 r[4] x [3]; columns [2, 2 + 2) do not lie in it", ShapeError);
  CHECK_THROWS_WITH_AS(slice_columns(a, -1, 2), "slice_columns: x is F32 r[4] x [3]; columns [-1, -1 + 2) do not lie in it", ShapeError);
  CHECK_THROWS_WITH_AS(slice_columns(a, 0, 0), "slice_columns: x is F32 r[4] x [3]; columns [0, 0 + 0) do not lie in it", ShapeError);
}

}  // namespace columns_test
