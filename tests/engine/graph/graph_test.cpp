#include "engine/graph/graph.h"

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"

namespace graph_test {

using namespace preamble;

namespace {

/// x [rows, 3] -> scale(linear(x))
Value small_model(Graph& graph) {
  const RowSpaceId rows = graph.rows("tokens", 8, 2);
  const Value x = graph.input("x", {Dtype::f32, rows, {3}});
  const Value w = graph.frozen("w", Tensor(Dtype::f32, {2, 3}));
  const Value y = scale(linear(x, w), 2);
  graph.output("y", y);
  return y;
}

}  // namespace

TEST_CASE("graph: computes in float32, bfloat16 or float64 and nothing else") {
  CHECK(Graph().real() == Dtype::f32);
  CHECK(Graph(Dtype::f64).real() == Dtype::f64);
  CHECK_THROWS_WITH_AS(Graph{Dtype::f16}, "graph: F16 was given as the type of activations; wanted F32, BF16 or F64", DtypeError);
}

TEST_CASE("graph: a row space is declared once, and may be named again") {
  Graph graph;
  const RowSpaceId source = graph.rows("source", 10, 2);
  const RowSpaceId target = graph.rows("target", 5, 2);
  CHECK(source != target);
  CHECK(graph.rows("source", 10, 2) == source);
  CHECK(graph.rows("target") == target);
  CHECK(graph.rows("other") == kNoRows);
  CHECK(graph.rows(source).rows == 10);
  CHECK(graph.rows(source).segments == 2);
  CHECK(graph.row_spaces().size() == 2);
}

TEST_CASE("graph: rejects row spaces that disagree or hold nothing") {
  Graph graph;
  graph.rows("source", 10, 2);
  CHECK_THROWS_WITH_AS(graph.rows("source", 11, 2), "row space 'source': declared with 11 rows and 2 segments; it has 10 and 2",
                       ShapeError);
  CHECK_THROWS_WITH_AS(graph.rows("none", 0, 2), "row space 'none': capacities of 0 rows and 2 segments were given; wanted positive ones below 2^31",
                       ShapeError);
  CHECK_THROWS_AS(graph.rows("none", 3, 0), ShapeError);
}

TEST_CASE("graph: leaves carry their role, and share the memory they were given") {
  Graph graph;
  const RowSpaceId rows = graph.rows("tokens", 8, 2);
  const Tensor weight(Dtype::bf16, {2, 3});
  const Value frozen = graph.frozen("w", weight);
  const Value trainable = graph.trainable("p", Tensor(Dtype::f32, {4}));
  const Value state = graph.state("cache", Tensor(Dtype::f32, {8, 3}), rows);
  const Value input = graph.input("ids", {Dtype::i32, rows, {}});
  CHECK(graph.node(frozen).role == Role::frozen);
  CHECK(graph.node(trainable).role == Role::trainable);
  CHECK(graph.node(state).role == Role::state);
  CHECK(graph.node(input).role == Role::input);
  CHECK(graph.node(frozen).tensor.data() == weight.data());
  CHECK(frozen.type() == Type{Dtype::bf16, kNoRows, {2, 3}});
  // the tensor's leading axis became the row axis
  CHECK(state.type() == Type{Dtype::f32, rows, {3}});
  CHECK(graph.leaf("p") == trainable);
  CHECK(!graph.leaf("q"));
}

TEST_CASE("graph: leaves are rejected by name, shape, type or memory") {
  Graph graph;
  const RowSpaceId rows = graph.rows("tokens", 8, 2);
  (void)graph.frozen("w", Tensor(Dtype::f32, {2}));
  CHECK_THROWS_WITH_AS((void)graph.input("w", {Dtype::f32, kNoRows, {}}), "leaf 'w': declared twice", ConfigError);
  CHECK_THROWS_WITH_AS((void)graph.frozen("short", Tensor(Dtype::f32, {7, 3}), rows),
                       "leaf 'short': [7, 3] was given; wanted 8 rows (row space 'tokens')", ShapeError);
  CHECK_THROWS_AS((void)graph.frozen("scalar", Tensor(Dtype::f32, {}), rows), ShapeError);
  CHECK_THROWS_WITH_AS((void)graph.trainable("half", Tensor(Dtype::bf16, {2})), "trainable 'half': BF16 was given; wanted F32", DtypeError);
  const auto memory = std::make_shared<std::array<float, 2>>();
  const Tensor mapped(Dtype::f32, {2}, memory, memory->data());
  CHECK_THROWS_WITH_AS((void)graph.trainable("mapped", mapped), "trainable 'mapped': its memory is read-only", Error);
  CHECK_THROWS_WITH_AS((void)graph.state("mapped", mapped), "state 'mapped': its memory is read-only", Error);
}

TEST_CASE("graph: results have unique names") {
  Graph graph;
  const Value y = small_model(graph);
  CHECK(graph.output("y") == y);
  CHECK_THROWS_WITH_AS(graph.output("y", y), "output 'y': declared twice", ConfigError);
  CHECK_THROWS_WITH_AS(graph.output("z", Value{}), "output 'z': an undefined value was given; wanted a value of this graph", ConfigError);
  CHECK_THROWS_WITH_AS((void)graph.output("z"), "output 'z': the graph has none of that name", ConfigError);
}

TEST_CASE("graph: an operand of another graph is an error") {
  Graph one;
  Graph two;
  const Value x = small_model(one);
  const Value y = small_model(two);
  CHECK_THROWS_WITH_AS((void)add(x, y), "add: an operand belongs to another graph", Error);
}

TEST_CASE("graph: scopes nest and end, and a leaf belongs to the scope it was first named in") {
  Graph graph;
  Value inner;
  {
    const Scope encoder(graph, "encoder");
    {
      const Scope block(graph, "block.0");
      inner = small_model(graph);
    }
    CHECK(graph.scope() == "encoder");
  }
  CHECK(graph.scope().empty());
  CHECK(graph.node(inner).scope == "encoder.block.0");
  CHECK(graph.node(graph.leaf("w")).scope == "encoder.block.0");
  CHECK(graph.node(scale(inner, 3)).scope.empty());
}

TEST_CASE("graph: a moved graph takes its values along") {
  Graph from;
  small_model(from);
  Graph to(std::move(from));
  CHECK(to.output("y").graph == &to);
  for (const auto& node : to.nodes()) {
    for (const auto& input : node.inputs) CHECK(input.graph == &to);
  }
  // it can grow, under its own values
  CHECK(add(to.output("y"), to.output("y")).graph == &to);
  Graph assigned;
  assigned = std::move(to);
  CHECK(assigned.output("y").graph == &assigned);
  CHECK(assigned.leaf("w").graph == &assigned);
}

TEST_CASE("graph: append copies scope and phase, and infers the types again") {
  Graph graph;
  Value y;
  {
    const Scope scope(graph, "head");
    y = small_model(graph);
  }
  const Node like = graph.node(y);
  graph.set_phase(Phase::backward);
  const Value again = graph.append(like, like.inputs);
  CHECK(graph.node(again).scope == "head");
  CHECK(graph.node(again).phase == Phase::forward);
  CHECK(again.type() == y.type());
  CHECK(graph.node(scale(y, 1)).phase == Phase::backward);
}

TEST_CASE("graph: types are described with row space and capacity, and measured at capacity") {
  Graph graph;
  const RowSpaceId rows = graph.rows("encoder", 4096, 8);
  const Type activation{Dtype::f32, rows, {768}};
  const Type weight{Dtype::bf16, kNoRows, {2, 3}};
  CHECK(graph.describe(activation) == "F32 encoder[4096] x [768]");
  CHECK(graph.describe(weight) == "BF16 [2, 3]");
  CHECK(graph.bytes(activation) == 4096 * 768 * 4);
  CHECK(graph.bytes(weight) == 12);
  CHECK(graph.capacity(activation) == 4096);
  CHECK(graph.capacity(weight) == 1);
}

}  // namespace graph_test
