#include "engine/ops/merge_rows.h"

#include <array>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace merge_rows_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Two prompt rows of a table b before each of two sequences whose rows are a: y = b0 b1 a0 a1, b0 b1 a2.
GradientCase prompts(bool located) {
  GradientCase test{
      {{"r", Segments(std::array{4, 3})}, {"a", Segments(std::array{2, 1})}, {"w", Segments(std::array{2, 2})}},
      {{"a", random_tensor({3, 3}, 1), "a"}, {"b", random_tensor({2, 3}, 2)}, {"index", indices({-1, -2, 0, 1, -1, -2, 2}), "r"}},
      [](Graph&, const auto& v) { return merge_rows(v[0], v[1], v[2], v.size() > 3 ? v[3] : Value{}); }};
  if (located) test.operands.push_back({"where_b", indices({0, 1, 4, 5}), "w"});
  return test;
}

}  // namespace

TEST_CASE("merge_rows: prompts stand in front of each sequence") {
  GradientCase test = prompts(true);
  test.operands[0].values = doubles({3, 1}, {1, 2, 3});
  test.operands[1].values = doubles({2, 1}, {-10, -20});
  check_close(evaluate(test), {-10, -20, 1, 2, -10, -20, 3});
}

TEST_CASE("merge_rows: gradients, with and without the places of b") {
  check_gradients(prompts(false));
  check_gradients(prompts(true));
}

TEST_CASE("merge_rows: both sources may be plain, or of the result's own row space") {
  GradientCase test = prompts(false);
  test.operands[0].space = "";
  check_gradients(test);
  const GradientCase own{{{"r", Segments(std::array{3})}},
                         {{"a", random_tensor({3, 2}, 1), "r"}, {"b", random_tensor({3, 2}, 2), "r"}, {"index", indices({2, -1, -3}), "r"}},
                         [](Graph&, const auto& v) { return merge_rows(v[0], v[1], v[2]); }};
  check_gradients(own);
}

TEST_CASE("merge_rows: keeps no rows, and computes nothing for a frozen source") {
  CHECK(kept_values(prompts(true), {"a", "b"}) == std::vector<std::string>{});
  CHECK(kept_values(prompts(false), {"b"}) == std::vector<std::string>{});
}

TEST_CASE("merge_rows: no rows, an empty segment") {
  const GradientCase none{{{"r", Segments(std::array{0})}},
                          {{"a", random_tensor({2, 2}, 1)}, {"b", random_tensor({1, 2}, 2)}, {"index", indices({}), "r"}},
                          [](Graph&, const auto& v) { return merge_rows(v[0], v[1], v[2]); }};
  check_gradients(none);
  const GradientCase empty{{{"r", Segments(std::array{2, 0, 1})}},
                           {{"a", random_tensor({2, 2}, 1)}, {"b", random_tensor({1, 2}, 2)}, {"index", indices({0, -1, 1}), "r"}},
                           [](Graph&, const auto& v) { return merge_rows(v[0], v[1], v[2]); }};
  check_gradients(empty);
}

TEST_CASE("merge_rows: rejects rows of unequal size and indices that are not whole") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value a = graph.input("a", {Dtype::f32, rows, {3}});
  const Value b = graph.frozen("b", Tensor(Dtype::f32, {2, 4}));
  const Value flat = graph.frozen("flat", Tensor(Dtype::f32, {3}));
  const Value stored = graph.frozen("stored", Tensor(Dtype::bf16, {2, 3}));
  const Value index = graph.input("index", {Dtype::i32, rows, {}});
  CHECK_THROWS_WITH_AS(merge_rows(a, b, index), "merge_rows: a is F32 r[4] x [3] and b is F32 [2, 4]; wanted rows of equal size",
                       ShapeError);
  CHECK_THROWS_WITH_AS(merge_rows(a, flat, index), "merge_rows: b is F32 [3]; wanted rows or [N, D]", ShapeError);
  CHECK_THROWS_WITH_AS(merge_rows(a, stored, index), "merge_rows: b is BF16 [2, 3]; wanted F32", DtypeError);
  CHECK_THROWS_WITH_AS(merge_rows(a, a, a), "merge_rows: index is F32 r[4] x [3]; wanted one number a row", ShapeError);
  CHECK_THROWS_WITH_AS(merge_rows(a, a, index, a), "merge_rows: where_b is F32 r[4] x [3]; wanted one number a row", ShapeError);
}

}  // namespace merge_rows_test
