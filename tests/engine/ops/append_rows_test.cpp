#include "engine/ops/append_rows.h"

#include <vector>

#include <doctest/doctest.h>

#include "engine/runtime/compile.h"
#include "engine/core/error.h"
#include "engine/runtime/session.h"
#include "tests/support/residence.h"

namespace append_rows_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// A program that appends rows of two numbers to a cache of three places.
struct Appending {
  Appending() {
    Graph graph;
    const RowSpaceId rows = graph.rows("rows", 4, 1);
    const Value state = graph.state("cache", cache);
    graph.output("result", append_rows(state, graph.input("x", {Dtype::f32, rows, {2}}), graph.input("index", {Dtype::i32, rows, {}})));
    program = compile(std::move(graph), {});
  }

  void run(Session& session, const std::vector<float>& x, const std::vector<std::int32_t>& index) const {
    Segments rows;
    rows.append(static_cast<std::int32_t>(index.size()));
    session.rows("rows", rows);
    session.set<float>("x", x);
    session.set<std::int32_t>("index", index);
    session.run();
  }

  [[nodiscard]] std::vector<float> values() const {
    const Tensor now = downloaded(cache);
    const auto all = now.values<float>();
    return {all.begin(), all.end()};
  }

  Tensor cache{Dtype::f32, {3, 2}};
  std::shared_ptr<const Program> program;
};

}  // namespace

TEST_CASE("append_rows: writes rows where the index says and leaves the others") {
  const Appending appending;
  Session session(appending.program);
  appending.run(session, {1, 2, 3, 4}, {2, 0});
  CHECK(appending.values() == std::vector<float>{3, 4, 0, 0, 1, 2});
  appending.run(session, {5, 6}, {1});
  CHECK(appending.values() == std::vector<float>{3, 4, 5, 6, 1, 2});
}

TEST_CASE("append_rows: drops rows outside the cache, and takes none") {
  const Appending appending;
  Session session(appending.program);
  appending.run(session, {1, 2, 3, 4, 5, 6}, {-1, 1, 3});
  CHECK(appending.values() == std::vector<float>{0, 0, 3, 4, 0, 0});
  appending.run(session, {}, {});
  CHECK(appending.values() == std::vector<float>{0, 0, 3, 4, 0, 0});
}

TEST_CASE("append_rows: the result is the cache itself" * doctest::test_suite(kHostMemory)) {
  const Appending appending;
  Session session(appending.program);
  appending.run(session, {7, 8}, {1});
  CHECK(session.result<float>("result").data() == appending.cache.values<float>().data());
}

TEST_CASE("append_rows: rejects operands that do not fit") {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 4, 1);
  const Value x = graph.input("x", {Dtype::f32, rows, {2}});
  const Value index = graph.input("index", {Dtype::i32, rows, {}});
  const Value wide = graph.state("wide", Tensor(Dtype::f32, {3, 5}));
  CHECK_THROWS_WITH_AS(append_rows(wide, x, index), "append_rows: cache is F32 [3, 5]; wanted [N, 2]", ShapeError);
  const Value exact = graph.state("double", Tensor(Dtype::f64, {3, 2}));
  CHECK_THROWS_WITH_AS(append_rows(exact, x, index), "append_rows: cache is F64 [3, 2]; wanted F32", DtypeError);
  const Value cache = graph.state("cache", Tensor(Dtype::f32, {3, 2}));
  CHECK_THROWS_WITH_AS(append_rows(cache, x, x), "append_rows: index is F32 rows[4] x [2]; wanted I32 rows[4] x []", ShapeError);
}

}  // namespace append_rows_test
