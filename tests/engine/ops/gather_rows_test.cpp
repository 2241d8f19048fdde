#include "engine/ops/gather_rows.h"

#include <array>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "engine/runtime/session.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace gather_rows_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

GradientCase gathering(Tensor table, const std::vector<std::int32_t>& index, std::string space = {}, std::int64_t skip = -1) {
  const auto rows = static_cast<std::int32_t>(index.size());
  GradientCase test{{{"r", Segments(std::array{rows})}},
                    {{"table", table, space}, {"index", indices(index), "r"}},
                    [skip](Graph&, const auto& v) { return gather_rows(v[0], v[1], skip); }};
  if (!space.empty()) test.spaces.emplace_back(space, Segments(std::array{static_cast<std::int32_t>(table.dim(0))}));
  return test;
}

}  // namespace

TEST_CASE("gather_rows: picks rows of a table and of a row space") {
  const Tensor table = doubles({3, 2}, {1, 2, 3, 4, 5, 6});
  check_close(evaluate(gathering(table, {2, 0, 2, 1})), {5, 6, 1, 2, 5, 6, 3, 4});
  check_close(evaluate(gathering(table, {1, 1}, "s")), {3, 4, 3, 4});
}

TEST_CASE("gather_rows: widens bf16 and copies whole numbers") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1), other = graph.rows("s", 3, 1);
  const Value table = graph.frozen("table", doubles({3, 2}, {1, -2, 0.5, 4, 5, 0.15625}).to(Dtype::bf16));
  const Value numbers = graph.input("numbers", {Dtype::i32, other, {}});
  const Value index = graph.input("index", {Dtype::i32, rows, {}});
  graph.output("wide", gather_rows(table, index));
  graph.output("whole", gather_rows(numbers, index));
  Session session(compile(std::move(graph)));
  session.rows("r", Segments(std::array{3}));
  session.rows("s", Segments(std::array{3}));
  session.set<std::int32_t>("index", std::array{2, 0, 1});
  session.set<std::int32_t>("numbers", std::array{7, 1 << 30, -9});
  session.run();
  check_close(session.result_tensor("wide"), {5, 0.15625, 1, -2, 0.5, 4});
  const auto whole = session.result<std::int32_t>("whole");
  CHECK(std::vector(whole.begin(), whole.end()) == std::vector<std::int32_t>{-9, 7, 1 << 30});
}

TEST_CASE("gather_rows: gradients add up where a row is taken more than once") {
  check_gradients(gathering(random_tensor({5, 3}, 1), {4, 0, 4, 4, 2}));
  check_gradients(gathering(random_tensor({5, 3}, 1), {4, 0, 4, 4, 2}, "s"));
  CHECK(kept_values(gathering(random_tensor({5, 3}, 1), {4, 0}), {"table"}).empty());
}

TEST_CASE("gather_rows: the skipped row gets no gradient") {
  Graph graph(Dtype::f64);
  const RowSpaceId rows = graph.rows("r", 3, 1);
  const Value table = graph.trainable("table", doubles({2, 1}, {1, 2}));
  const Value y = gather_rows(table, graph.input("index", {Dtype::i32, rows, {}}), 1);
  graph.output("loss", dot(y, y));
  Session session(compile(std::move(graph), {.loss = "loss"}));
  session.rows("r", Segments(std::array{3}));
  session.set<std::int32_t>("index", std::array{1, 0, 1});
  session.run();
  check_close(session.result_tensor("loss"), {9});
  check_close(session.result_tensor("grad.table"), {2, 0});
}

TEST_CASE("gather_rows: no rows, one row, a wide table") {
  check_gradients(gathering(random_tensor({2, 3}, 1), {}));
  check_gradients(gathering(random_tensor({1, 3}, 1), {0}));
  check_gradients(gathering(random_tensor({2, 130}, 1), {1, 0, 1}));
}

TEST_CASE("scatter_add_rows: each side takes its own rows") {
  const auto scattered = [](Side side, std::int64_t skip) {
    return GradientCase{{{"r", Segments(std::array{4})}},
                        {{"dy", doubles({4, 1}, {1, 10, 100, 1000}), "r"}, {"index", indices({1, -1, 1, -3}), "r"}},
                        [=](Graph& g, const auto& v) {
                          return scatter_add_rows(v[0], v[1], {g.real(), kNoRows, {3, 1}}, side, skip);
                        }};
  };
  check_close(evaluate(scattered(Side::nonnegative, -1)), {0, 101, 0});
  check_close(evaluate(scattered(Side::nonnegative, 1)), {0, 0, 0});
  check_close(evaluate(scattered(Side::negative, -1)), {10, 0, 1000});
}

TEST_CASE("gather_rows: rejects tables and indices of other kinds") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value table = graph.frozen("table", Tensor(Dtype::f32, {5, 3}));
  const Value flat = graph.frozen("flat", Tensor(Dtype::f32, {5}));
  const Value words = graph.frozen("words", Tensor(Dtype::i64, {5, 3}));
  const Value index = graph.input("index", {Dtype::i32, rows, {}});
  const Value pairs = graph.input("pairs", {Dtype::i32, rows, {2}});
  const Value real = graph.input("real", {Dtype::f32, rows, {}});
  CHECK_THROWS_WITH_AS(gather_rows(flat, index), "gather_rows: table is F32 [5]; wanted rows or [N, D]", ShapeError);
  CHECK_THROWS_WITH_AS(gather_rows(words, index), "gather_rows: table is I64 [5, 3]; wanted F32, BF16, F16 or a quantised type", DtypeError);
  CHECK_THROWS_WITH_AS(gather_rows(table, pairs), "gather_rows: index is I32 r[4] x [2]; wanted one number a row", ShapeError);
  CHECK_THROWS_WITH_AS(gather_rows(table, real), "gather_rows: index is F32 r[4] x []; wanted I32", DtypeError);
  const Value dy = graph.input("dy", {Dtype::f32, rows, {2}});
  CHECK_THROWS_WITH_AS(scatter_add_rows(dy, index, table.type()),
                       "scatter_add_rows: dy is F32 r[4] x [2]; wanted rows like those of F32 [5, 3]", ShapeError);
}

}  // namespace gather_rows_test
