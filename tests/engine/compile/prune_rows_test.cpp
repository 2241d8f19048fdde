#include "engine/compile/prune_rows.h"

#include <array>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/compile/differentiate.h"
#include "engine/compile/rewrite.h"
#include "engine/ops/dropout.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/linear.h"
#include "engine/ops/norm.h"
#include "engine/runtime/session.h"
#include "tests/support/graphs.h"
#include "tests/support/values.h"

namespace prune_rows_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Rows `all`, of which `some` are read through an index.
struct Reading {
  explicit Reading(Dtype real = Dtype::f32) : graph(real) {
    all = graph.rows("all", 6, 2);
    index = graph.subset("some", all, 3);
    some = index.type().rows;
    x = graph.input("x", {real, all, {4}});
  }

  [[nodiscard]] Value weight(std::string_view name, std::int64_t out = 4, std::int64_t in = 4) {
    return graph.frozen(name, random_tensor({out, in}, name.size()).to(graph.real()));
  }

  Graph graph;
  RowSpaceId all, some;
  Value x, index;
};

/// The row space that each node of an op works in.
std::vector<std::string> spaces_of(const Graph& graph, std::string_view op) {
  std::vector<std::string> spaces;
  for (const auto& node : graph.nodes()) {
    if (node.op && node.op->name() == op) spaces.push_back(graph.rows(node.outputs[0].rows).name);
  }
  return spaces;
}

using Spaces = std::vector<std::string>;

}  // namespace

TEST_CASE("prune_rows: a gather moves through linear, norm, add and activation") {
  Reading r;
  const Value scales = r.graph.frozen("scales", Tensor(Dtype::f32, {4}));
  const Value h = linear(rms_norm(r.x, scales, 1e-6), r.weight("a"));
  const Value y = activation(add(r.x, h), ActivationKind::relu);
  r.graph.output("y", gather_rows(y, r.index));
  const Graph pruned = prune_rows(r.graph);
  CHECK(spaces_of(pruned, "linear") == Spaces{"some"});
  CHECK(spaces_of(pruned, "norm") == Spaces{"some"});
  CHECK(spaces_of(pruned, "add") == Spaces{"some"});
  CHECK(spaces_of(pruned, "activation") == Spaces{"some"});
  // one gather at the bottom, shared by both paths
  CHECK(spaces_of(pruned, "gather_rows") == Spaces{"some"});
}

TEST_CASE("prune_rows: attention gathers its queries and keeps all keys and values") {
  Reading r;
  AttentionOptions options;
  options.heads = options.kv_heads = 2;
  const Value o =
      attention({.q = linear(r.x, r.weight("q")), .k = linear(r.x, r.weight("kk")), .v = linear(r.x, r.weight("vvv"))}, options);
  r.graph.output("y", gather_rows(linear(o, r.weight("oooo")), r.index));
  const Graph pruned = prune_rows(r.graph);
  CHECK(spaces_of(pruned, "attention") == Spaces{"some"});
  auto linears = spaces_of(pruned, "linear");
  std::ranges::sort(linears);
  CHECK(linears == Spaces{"all", "all", "some", "some"});
}

TEST_CASE("prune_rows: what reads a row's place moves for the index of a subset alone, or of a subset's subset") {
  const auto pruned = [](const auto& index_of) {
    Reading r;
    AttentionOptions options;
    options.heads = options.kv_heads = 2;
    const Value o = attention({.q = linear(r.x, r.weight("q")), .k = r.x, .v = r.x}, options);
    const Value key = r.graph.input("key", {Dtype::i32, kNoRows, {2}});
    const Value y = dropout(linear(o, r.weight("oooo")), key, 0.5, 1);
    r.graph.output("y", gather_rows(scale(y, 2), index_of(r)));
    return prune_rows(r.graph);
  };
  const auto where = [&](const Graph& graph) {
    return Spaces{spaces_of(graph, "attention")[0], spaces_of(graph, "dropout")[0], spaces_of(graph, "scale")[0]};
  };
  const auto of_subset = [](Reading& r) { return r.index; };
  const auto any = [](Reading& r) { return r.graph.input("any", {Dtype::i32, r.graph.rows("any", 3, 2), {}}); };
  const auto of_other = [](Reading& r) { return r.graph.subset("rows of other rows", r.graph.rows("other", 6, 2), 3); };
  const auto same_space = [](Reading& r) { return r.graph.input("same space", {Dtype::i32, r.some, {}}); };
  CHECK(where(pruned(of_subset)) == Spaces{"some", "some", "some"});
  CHECK(where(pruned(any)) == Spaces{"all", "all", "any"});
  CHECK(where(pruned(of_other)) == Spaces{"all", "all", "rows of other rows"});
  CHECK(where(pruned(same_space)) == Spaces{"all", "all", "some"});
  const auto of_subsets_subset = [](Reading& r) { return gather_rows(r.index, r.graph.subset("few", r.some, 2)); };
  const auto crossed = [](Reading& r) {
    return gather_rows(r.index, r.graph.input("any", {Dtype::i32, r.graph.rows("any", 3, 2), {}}));
  };
  CHECK(where(pruned(of_subsets_subset)) == Spaces{"few", "few", "few"});
  CHECK(where(pruned(crossed)) == Spaces{"all", "all", "any"});
}

TEST_CASE("prune_rows: a gather whose gradient leaves rows out stays where it is") {
  Reading r;
  r.graph.output("y", gather_rows(linear(r.x, r.weight("a")), r.index, 0));
  CHECK(spaces_of(prune_rows(r.graph), "linear") == Spaces{"all"});
}

TEST_CASE("prune_rows: stops where somebody else reads all rows") {
  Reading r;
  const Value low = linear(r.x, r.weight("a"));
  const Value high = linear(low, r.weight("bb"));
  r.graph.output("low", low);
  r.graph.output("y", gather_rows(high, r.index));
  const Graph pruned = prune_rows(r.graph);
  CHECK(spaces_of(pruned, "linear") == Spaces{"all", "some"});
  CHECK(spaces_of(pruned, "gather_rows") == Spaces{"some"});
}

TEST_CASE("prune_rows: stops where two readers want different rows") {
  Reading r;
  const Value other = r.graph.input("other", {Dtype::i32, r.some, {}});
  const Value y = linear(r.x, r.weight("a"));
  r.graph.output("one", gather_rows(y, r.index));
  r.graph.output("two", gather_rows(y, other));
  CHECK(spaces_of(prune_rows(r.graph), "linear") == Spaces{"all"});
}

TEST_CASE("prune_rows: two readers of the same rows share the pruned value") {
  Reading r;
  const Value y = linear(r.x, r.weight("a"));
  r.graph.output("one", scale(gather_rows(y, r.index), 2));
  r.graph.output("two", scale(gather_rows(y, r.index), 3));
  const Graph pruned = prune_rows(r.graph);
  CHECK(spaces_of(pruned, "linear") == Spaces{"some"});
  CHECK(count_ops(pruned, "gather_rows") == 1);
}

TEST_CASE("prune_rows: a result of the graph keeps all its rows") {
  Reading r;
  const Value y = linear(r.x, r.weight("a"));
  r.graph.output("all", y);
  r.graph.output("some", gather_rows(y, r.index));
  CHECK(spaces_of(prune_rows(r.graph), "linear") == Spaces{"all"});
}

TEST_CASE("prune_rows: a chain of gathers becomes one, and a second pass moves that down as well") {
  Reading r;
  const Value second = r.graph.subset("few", r.some, 2);
  const Value y = linear(gather_rows(linear(r.x, r.weight("a")), r.index), r.weight("bb"));
  r.graph.output("y", gather_rows(y, second));
  const Graph once = prune_rows(r.graph);
  CHECK(spaces_of(once, "linear") == Spaces{"all", "few"});
  CHECK(spaces_of(prune_rows(once), "linear") == Spaces{"few", "few"});
}

TEST_CASE("prune_rows: keeps scope and phase of what it moves") {
  Reading r;
  Value y;
  {
    const Scope scope(r.graph, "block.1");
    y = linear(r.x, r.weight("a"));
  }
  r.graph.output("y", gather_rows(y, r.index));
  const Graph pruned = prune_rows(r.graph);
  CHECK(pruned.node(pruned.output("y")).scope == "block.1");
}

TEST_CASE("prune_rows: changes no value, to the bit") {
  const Stack stack{.width = 4, .layers = 2};
  const auto result = [&](bool prune) {
    Reading r(Dtype::f64);
    r.graph.output("y", gather_rows(stack.build(r.graph, r.x), r.index));
    const Graph changed = prune ? prune_rows(r.graph) : eliminate_dead(r.graph);
    CHECK((spaces_of(changed, "attention") == Spaces{"all", "some"}) == prune);
    Rewriter copy(changed);
    for (std::int32_t n = 0; n < changed.size(); ++n) {
      if (changed.node(n).op) copy.copy(n);
    }
    const auto program = std::make_shared<const Program>(copy.finish(), cpu_backend(), std::vector<PassReport>{});
    Session session(program);
    session.rows("all", Segments(std::array{4, 2}));
    session.select("some", std::array{2, 5});
    session.set<double>("x", random_tensor({6, 4}, 5).values<double>());
    session.run();
    return numbers(session.result_tensor("y"));
  };
  CHECK(result(true) == result(false));
}

TEST_CASE("prune_rows: the backward pass of the first layer works on the prompt's rows alone") {
  Reading r;
  // the prompt's gradient is a gather of the gradient at the input: what stands above is computed for these rows only
  const Value dy = r.graph.input("dy", {Dtype::f32, r.all, {4}});
  r.graph.set_phase(Phase::backward);
  const Value dh = linear(dy, r.weight("a"), {}, WeightLayout::in_out);
  r.graph.output("grad.prompt", gather_rows(add(dh, dy), r.index));
  const Graph pruned = prune_rows(r.graph);
  CHECK(spaces_of(pruned, "linear") == Spaces{"some"});
  CHECK(spaces_of(pruned, "add") == Spaces{"some"});
  CHECK(count_ops(pruned, "linear", Phase::backward) == 1);
}

}  // namespace prune_rows_test
