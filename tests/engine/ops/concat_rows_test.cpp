#include "engine/ops/concat_rows.h"

#include <array>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace concat_rows_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Two rows of a [3, 2], three of b [3, 2], none of c [1, 2].
GradientCase concatenated() {
  GradientCase test{{{"all", Segments(std::array{2, 3, 0})}},
                    {{"a", random_tensor({3, 2}, 1)}, {"b", random_tensor({3, 2}, 2)}, {"c", random_tensor({1, 2}, 3)}},
                    [](Graph& graph, const auto& v) { return concat_rows({v[0], v[1], v[2]}, {2, 3, 0}, graph.rows("all")); }};
  test.spare_rows = 0;
  return test;
}

}  // namespace

TEST_CASE("concat_rows: the first rows of each table, one behind the other") {
  const GradientCase test = concatenated();
  auto expected = numbers(test.operands[0].values);
  expected.resize(4);
  for (const double x : numbers(test.operands[1].values)) expected.push_back(x);
  check_close(evaluate(test), expected);
}

TEST_CASE("concat_rows: rows that are not taken have no gradient") { check_gradients(concatenated()); }

TEST_CASE("concat_rows: nothing is kept") { CHECK(kept_values(concatenated(), {"a", "b", "c"}).empty()); }

TEST_CASE("concat_rows: rejects counts and widths that do not fit") {
  Graph graph;
  const RowSpaceId rows = graph.rows("all", 4, 2);
  const Value a = graph.frozen("a", Tensor(Dtype::f32, {3, 2}));
  const Value b = graph.frozen("b", Tensor(Dtype::f32, {3, 5}));
  CHECK_THROWS_WITH_AS(concat_rows({a}, {4}, rows), "concat_rows: operand 0 is F32 [3, 2]; wanted at least 4 rows of 2 elements", ShapeError);
  CHECK_THROWS_WITH_AS(concat_rows({a, b}, {2, 2}, rows), "concat_rows: operand 1 is F32 [3, 5]; wanted at least 2 rows of 2 elements", ShapeError);
  CHECK_THROWS_WITH_AS(concat_rows({a}, {3}, rows), "concat_rows: 3 rows were given; the row space 'all' has 4", ShapeError);
}

}  // namespace concat_rows_test
