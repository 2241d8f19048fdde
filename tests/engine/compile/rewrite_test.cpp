#include "engine/compile/rewrite.h"

#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"
#include "tests/support/graphs.h"

namespace rewrite_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

struct Small {
  Small() {
    const RowSpaceId rows = graph.rows("r", 4, 1);
    x = graph.input("x", {Dtype::f32, rows, {3}});
    doubled = scale(x, 2);
    squared = multiply(doubled, doubled);
    unread = scale(squared, 5);
    sum = add(squared, x);
    graph.output("sum", sum);
    graph.output("again", sum);
  }

  Graph graph;
  Value x, doubled, squared, unread, sum;
};

}  // namespace

TEST_CASE("users: lists readers in order, twice where a node reads twice") {
  const Small s;
  const Users users(s.graph);
  CHECK(users.of(s.x.node) == std::vector<std::int32_t>{s.doubled.node, s.sum.node});
  CHECK(users.of(s.doubled.node) == std::vector<std::int32_t>{s.squared.node, s.squared.node});
  CHECK(users.of(s.sum.node).empty());
  CHECK(users.is_result(s.sum.node));
  CHECK(!users.is_result(s.squared.node));
}

TEST_CASE("users: count reads of a value, results included") {
  const Small s;
  const Users users(s.graph);
  CHECK(users.count(s.x) == 2);
  CHECK(users.count(s.doubled) == 2);
  CHECK(users.count(s.unread) == 0);
  CHECK(users.count(s.sum) == 2);
}

TEST_CASE("rewriter: takes row spaces and leaves over at once, and nodes when they are copied") {
  const Small s;
  Rewriter rewriter(s.graph);
  CHECK(rewriter.graph().rows("r") != kNoRows);
  CHECK(rewriter.graph().size() == 1);
  CHECK(rewriter(s.x).graph == &rewriter.graph());
  CHECK(!rewriter(s.doubled));
  CHECK(!rewriter(Value{}));
  rewriter.copy(s.doubled.node);
  CHECK(rewriter(s.doubled).type() == s.doubled.type());
}

TEST_CASE("rewriter: lets another value stand for an old one") {
  const Small s;
  Rewriter rewriter(s.graph);
  rewriter.replace(s.squared, scale(rewriter(s.x), 7));
  rewriter.copy(s.sum.node);
  const Graph changed = rewriter.finish();
  CHECK(ops_of(changed) == std::vector<std::string>{"scale", "add"});
  CHECK(changed.output("sum") == changed.output("again"));
  CHECK(changed.output("sum").graph == &changed);
}

TEST_CASE("eliminate_dead: drops what no result needs, and keeps leaves") {
  Small s;
  (void)s.graph.frozen("unused", Tensor(Dtype::f32, {2}));
  const Graph live = eliminate_dead(s.graph);
  CHECK(ops_of(live) == std::vector<std::string>{"scale", "multiply", "add"});
  Graph copy = eliminate_dead(live);
  CHECK(copy.leaf("unused").defined());
  CHECK(copy.outputs().size() == 2);
}

TEST_CASE("used_outputs: marks what nodes read and what is a result") {
  const Small s;
  const auto used = used_outputs(s.graph);
  CHECK(used[static_cast<std::size_t>(s.x.node)][0]);
  CHECK(used[static_cast<std::size_t>(s.sum.node)][0]);
  CHECK(!used[static_cast<std::size_t>(s.unread.node)][0]);
}

TEST_CASE("flops_of: counts a product's multiplications and additions at capacity") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 5, 1);
  const Value x = graph.input("x", {Dtype::f32, rows, {3}});
  const Value y = linear(x, graph.frozen("w", Tensor(Dtype::f32, {7, 3})));
  graph.output("y", y);
  CHECK(flops_of(graph, y.node, {true}) == doctest::Approx(2.0 * 5 * 3 * 7));
  CHECK(flops_of(graph) == doctest::Approx(2.0 * 5 * 3 * 7));
  CHECK(flops_of(graph, x.node, {true}) == 0);
}

}  // namespace rewrite_test
