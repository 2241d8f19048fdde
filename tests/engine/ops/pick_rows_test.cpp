#include "engine/ops/pick_rows.h"

#include <array>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/linear.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace pick_rows_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

GradientCase picked(Tensor table, std::vector<std::int32_t> rows) {
  return {{}, {{"table", std::move(table)}}, [rows](Graph&, const auto& v) { return pick_rows(v[0], rows); }};
}

}  // namespace

TEST_CASE("pick_rows: takes rows in the given order, of a matrix and of a vector") {
  check_close(evaluate(picked(doubles({3, 2}, {1, 2, 3, 4, 5, 6}), {2, 0})), {5, 6, 1, 2});
  check_close(evaluate(picked(doubles({3}, {1, 2, 3}), {1})), {2});
}

TEST_CASE("pick_rows: bf16 is widened") {
  Graph graph;
  const Value table = graph.frozen("t", doubles({3, 2}, {1, 2, 3, 4, 5, 6}).to(Dtype::bf16));
  graph.output("y", pick_rows(table, {2, 0}));
  Session session(compile(std::move(graph)));
  session.run();
  check_close(session.result_tensor("y"), {5, 6, 1, 2});
}

TEST_CASE("pick_rows: gradients") {
  check_gradients(picked(random_tensor({4, 3}, 1), {3, 1}));
  check_gradients(picked(random_tensor({4}, 1), {0, 3}));
  const GradientCase decoder{{{"r", Segments(std::array{2, 0, 1})}},
                             {{"x", random_tensor({3, 5}, 2), "r"}, {"w", random_tensor({6, 5}, 3)}, {"b", random_tensor({6}, 4)}},
                             [](Graph&, const auto& v) {
                               return linear(v[0], pick_rows(v[1], {4, 2}), pick_rows(v[2], {4, 2}));
                             }};
  check_gradients(decoder);
  CHECK(kept_values(picked(random_tensor({4, 3}, 1), {3, 1}), {"table"}).empty());
}

TEST_CASE("pick_rows: rejects rows that the table does not have, and one that is given twice") {
  const auto pick = [](std::vector<std::int32_t> rows) { (void)evaluate(picked(doubles({3}, {1, 2, 3}), std::move(rows))); };
  CHECK_THROWS_WITH_AS(pick({3}), "pick_rows: row 3 was given; table is F64 [3]", ShapeError);
  CHECK_THROWS_AS(pick({-1}), ShapeError);
  CHECK_THROWS_WITH_AS(pick({1, 1}), "pick_rows: a row was given twice; wanted different ones", ShapeError);
  CHECK_THROWS_WITH_AS(pick({}), "pick_rows: no rows were given; wanted one at least", ShapeError);
  Graph graph;
  CHECK_THROWS_AS((void)pick_rows(graph.frozen("t", Tensor(Dtype::i32, {3})), {1}), DtypeError);
  CHECK_THROWS_AS((void)pick_rows(graph.frozen("u", Tensor(Dtype::f32, {3, 2, 2})), {1}), ShapeError);
}

}  // namespace pick_rows_test
