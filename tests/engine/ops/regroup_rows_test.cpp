#include "engine/ops/regroup_rows.h"

#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/compile/prune_rows.h"
#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/linear.h"
#include "engine/ops/segment_cross_entropy.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace regroup_rows_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Four sequences of a row each, of which the first three and the last belong together.
const std::vector<std::pair<std::string, Segments>> kSpaces = {{"sequences", Segments(std::array{1, 1, 1, 1})},
                                                               {"groups", Segments(std::array{3, 1})}};

}  // namespace

TEST_CASE("regroup_rows: rows keep their places and values") {
  const GradientCase test{kSpaces, {{"x", doubles({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), "sequences"}}, [](Graph& graph, const auto& v) {
                            return regroup_rows(v[0], graph.rows("groups"));
                          }};
  check_close(evaluate(test), {1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("regroup_rows: a softmax behind it runs over the new segments") {
  const GradientCase test{
      kSpaces,
      {{"x", doubles({4, 1}, {1, 2, 3, 9}), "sequences"}, {"labels", tensor_of(Dims{3, 1}, std::array{1, 0, -1}), "", false}},
      [](Graph& graph, const auto& v) {
        const Value one = graph.frozen("one", doubles({}, {1}).to(graph.real()));
        return segment_cross_entropy(regroup_rows(v[0], graph.rows("groups")), v[1], one);
      }};
  check_close(evaluate(test), {std::log(std::exp(1) + std::exp(2) + std::exp(3)) - 2});
}

TEST_CASE("regroup_rows: gradients") {
  const GradientCase test{kSpaces,
                          {{"x", random_tensor({4, 3}, 1), "sequences"}, {"w", random_tensor({2, 3}, 2)}},
                          [](Graph& graph, const auto& v) { return regroup_rows(linear(v[0], v[1]), graph.rows("groups")); }};
  check_gradients(test);
  CHECK(kept_values(test, {"x"}) == std::vector<std::string>{"w"});
}

TEST_CASE("regroup_rows: no gather moves through it") {
  Graph graph;
  const RowSpaceId all = graph.rows("all", 6, 2);
  const RowSpaceId groups = graph.rows("groups", 6, 1);
  const Value x = graph.input("x", {Dtype::f32, all, {4}});
  const Value index = graph.input("index", {Dtype::i32, graph.rows("few", 2, 1), {}});
  graph.output("y", gather_rows(regroup_rows(scale(x, 2), groups), index));
  const Graph pruned = prune_rows(graph);
  for (const auto& node : pruned.nodes()) {
    if (node.op && node.op->name() == "scale") CHECK(node.outputs[0].rows == all);
  }
}

TEST_CASE("regroup_rows: rejects a space of another capacity") {
  Graph graph;
  const Value x = graph.input("x", {Dtype::f32, graph.rows("a", 6, 2), {4}});
  CHECK_THROWS_WITH_AS((void)regroup_rows(x, graph.rows("b", 5, 2)),
                       "regroup_rows: x is F32 a[6] x [4], and 'b' holds 5 rows; wanted as many", ShapeError);
}

}  // namespace regroup_rows_test
