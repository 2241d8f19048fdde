#include "engine/compile/differentiate.h"

#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/compile/rewrite.h"
#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"
#include "tests/support/graphs.h"

namespace differentiate_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

struct Chain {
  Chain() : rows(graph.rows("r", 4, 1)), x(graph.input("x", {Dtype::f32, rows, {3}})) {}

  [[nodiscard]] Value frozen(std::string_view name) { return graph.frozen(name, Tensor(Dtype::f32, {3, 3})); }
  [[nodiscard]] Value trainable(std::string_view name) { return graph.trainable(name, Tensor(Dtype::f32, {3, 3})); }
  /// Marks Σ y² and differentiates it.
  void finish(Value y) {
    graph.output("loss", dot(y, y));
    differentiate(graph, "loss");
    graph = eliminate_dead(graph);
  }
  [[nodiscard]] std::set<std::string> gradients() const {
    std::set<std::string> names;
    for (const auto& [name, value] : graph.outputs()) {
      if (name.starts_with("grad.")) names.insert(name);
    }
    return names;
  }

  Graph graph;
  RowSpaceId rows;
  Value x;
};

}  // namespace

TEST_CASE("differentiate: nothing below the lowest trainable leaf gets a gradient node") {
  Chain c;
  Value h = c.x;
  {
    const Scope below(c.graph, "below");
    h = linear(linear(h, c.frozen("a")), c.frozen("b"));
  }
  {
    const Scope above(c.graph, "above");
    h = linear(linear(h, c.trainable("t")), c.frozen("c"));
  }
  c.finish(h);
  CHECK(c.gradients() == std::set<std::string>{"grad.t"});
  for (const auto& node : c.graph.nodes()) {
    if (node.op && node.phase != Phase::forward) CHECK(node.scope != "below");
  }
  // dy C for the layer above, one weight gradient, none for frozen weights
  CHECK(count_ops(c.graph, "outer_sum") == 1);
  CHECK(count_ops(c.graph, "linear", Phase::backward) == 1);
}

TEST_CASE("differentiate: frozen leaves beside a trainable one get no gradient") {
  Chain c;
  c.finish(linear(linear(c.x, c.trainable("low")), c.frozen("high")));
  CHECK(c.gradients() == std::set<std::string>{"grad.low"});
  CHECK(count_ops(c.graph, "outer_sum") == 1);
}

TEST_CASE("differentiate: a trainable leaf that the loss does not read gets none") {
  Chain c;
  const Value side = linear(c.x, c.trainable("side"));
  c.graph.output("side", side);
  c.finish(linear(c.x, c.trainable("main")));
  CHECK(c.gradients() == std::set<std::string>{"grad.main"});
  CHECK(count_ops(c.graph, "outer_sum") == 1);
}

TEST_CASE("differentiate: gradients are added only where a value has more than one reader") {
  Chain single;
  single.finish(linear(linear(single.x, single.trainable("a")), single.frozen("b")));
  // Σ y² = dot(y, y) itself reads y twice: one sum
  CHECK(count_ops(single.graph, "add", Phase::backward) == 1);

  Chain fork;
  const Value h = linear(fork.x, fork.trainable("a"));
  fork.finish(add(linear(h, fork.frozen("b")), linear(h, fork.frozen("c"))));
  CHECK(count_ops(fork.graph, "add", Phase::backward) == 2);

  Chain tied;
  const Value w = tied.trainable("w");
  tied.finish(linear(linear(tied.x, w), w));
  CHECK(tied.gradients() == std::set<std::string>{"grad.w"});
  CHECK(count_ops(tied.graph, "outer_sum") == 2);
  CHECK(count_ops(tied.graph, "add", Phase::backward) == 2);
}

TEST_CASE("differentiate: gradient nodes carry the scope of the node they belong to") {
  Chain c;
  Value h;
  {
    const Scope scope(c.graph, "first");
    h = linear(c.x, c.trainable("a"));
  }
  {
    const Scope scope(c.graph, "second");
    h = linear(h, c.frozen("b"));
  }
  c.finish(h);
  std::multiset<std::string> scopes;
  for (const auto& node : c.graph.nodes()) {
    if (node.op && node.phase == Phase::backward && node.op->name() != "scale_by")
      scopes.insert(node.scope + ":" + std::string(node.op->name()));
  }
  CHECK(scopes.contains("first:outer_sum"));
  CHECK(scopes.contains("second:linear"));
}

TEST_CASE("differentiate: leaves scope and phase of the graph as they were") {
  Chain c;
  const Value y = linear(c.x, c.trainable("a"));
  c.graph.output("loss", dot(y, y));
  c.graph.set_scope("here");
  differentiate(c.graph, "loss");
  CHECK(c.graph.scope() == "here");
  CHECK(c.graph.node(scale(c.x, 2)).phase == Phase::forward);
}

TEST_CASE("differentiate: a leaf may be the loss's only operand") {
  Graph graph;
  const Value p = graph.trainable("p", Tensor(Dtype::f32, {5}));
  graph.output("loss", dot(p, p));
  differentiate(graph, "loss");
  CHECK(graph.output("grad.p").type() == p.type());
}

TEST_CASE("differentiate: rejects what is no loss") {
  Chain c;
  const Value y = linear(c.x, c.trainable("a"));
  c.graph.output("y", y);
  c.graph.output("frozen", dot(c.x, c.x));
  CHECK_THROWS_WITH_AS(differentiate(c.graph, "y"), "differentiate: 'y' is F32 r[4] x [3]; wanted a scalar", ShapeError);
  CHECK_THROWS_WITH_AS(differentiate(c.graph, "frozen"), "differentiate: 'frozen' depends on no trainable leaf", ConfigError);
  CHECK_THROWS_WITH_AS(differentiate(c.graph, "loss"), "output 'loss': the graph has none of that name", ConfigError);
}

TEST_CASE("differentiate: accumulated gradients leave for their sums as soon as they are complete") {
  Chain c;
  const Value first = c.trainable("first"), second = c.trainable("second");
  // `first` is read by the lowest node and by the highest
  const Value y = linear(linear(linear(c.x, first), second), first);
  c.graph.output("loss", dot(y, y));
  differentiate(c.graph, "loss", true);
  c.graph = eliminate_dead(c.graph);
  const auto index_of = [&](Value value) { return value.node; };
  const Value grad_first = c.graph.output("grad.first"), grad_second = c.graph.output("grad.second");
  CHECK(c.graph.node(grad_first).op->name() == "accumulate");
  CHECK(c.graph.node(grad_second).op->name() == "accumulate");
  CHECK(index_of(grad_second) < index_of(grad_first));
  // the product that ends the gradient of `first` comes behind the sum of `second`
  CHECK(index_of(grad_second) < c.graph.node(grad_first).inputs[1].node);
  CHECK(c.graph.leaf("sum.first").type() == first.type());
  CHECK(c.graph.leaf("sum.loss").type().dtype == Dtype::f64);
  CHECK(c.graph.node(c.graph.output(sum_name("loss"))).op->name() == "accumulate");
  CHECK(c.graph.leaf(kFirstPart).defined());
}

}  // namespace differentiate_test
