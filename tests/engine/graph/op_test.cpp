#include "engine/graph/op.h"

#include <array>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace op_test {

using namespace preamble;

namespace {

/// y of x's type; checks its operands with the functions under test.
class Probe final : public Op {
 public:
  enum class Check { rows, wide_rows, dims, same };

  explicit Probe(Check check) : check_(check) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "probe"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override {
    switch (check_) {
      case Check::rows: require_rows(*this, operands, 0, "x"); break;
      case Check::wide_rows: require_rows(*this, operands, 0, "x", 4); break;
      case Check::dims: require_dims(*this, operands, 0, "x", {2, 3}); break;
      case Check::same: require_same(*this, operands, 0, 1); break;
    }
    return {operands[0]};
  }

 private:
  Check check_;
};

/// Adds a probe and throws what it throws.
void probe(Graph& graph, Probe::Check check, std::vector<Value> inputs) {
  (void)graph.add(std::make_shared<Probe>(check), std::move(inputs));
}

}  // namespace

TEST_CASE("op: by default it has no gradient, no alias, no cost and no aligned operand") {
  const Probe op(Probe::Check::rows);
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value y = graph.add(std::make_shared<Probe>(Probe::Check::rows), {graph.input("x", {Dtype::f32, rows, {3}})});
  const std::array<Value, 1> arriving = {y};
  const std::array<bool, 1> wanted = {true};
  CHECK_THROWS_WITH_AS((void)op.gradients({graph, graph.node(y), y, arriving, wanted}), "probe: a gradient was asked for; this op has none",
                       UnsupportedError);
  CHECK(op.aligned().operands == 0);
  CHECK(op.aliases().empty());
  CHECK(!op.cheap());
  CHECK(op.flops({graph, graph.node(y), wanted}) == 0);
}

TEST_CASE("require_rows: takes rows of the graph's type and of the wanted width") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 8, 1);
  const Value x = graph.input("x", {Dtype::f32, rows, {3}});
  const Value flat = graph.input("flat", {Dtype::f32, kNoRows, {3}});
  const Value wide = graph.input("wide", {Dtype::f64, rows, {4}});
  probe(graph, Probe::Check::rows, {x});
  CHECK_THROWS_WITH_AS(probe(graph, Probe::Check::wide_rows, {x}), "probe: x is F32 r[8] x [3]; wanted rows of 4 elements", ShapeError);
  CHECK_THROWS_WITH_AS(probe(graph, Probe::Check::rows, {flat}), "probe: x is F32 [3]; wanted rows", ShapeError);
  CHECK_THROWS_WITH_AS(probe(graph, Probe::Check::rows, {wide}), "probe: x is F64 r[8] x [4]; wanted F32", DtypeError);
  CHECK_THROWS_WITH_AS(probe(graph, Probe::Check::rows, {Value{}}), "probe: operand 'x' is absent", ShapeError);
}

TEST_CASE("require_dims: takes exactly the dimensions, without rows") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 2, 1);
  probe(graph, Probe::Check::dims, {graph.input("a", {Dtype::f32, kNoRows, {2, 3}})});
  CHECK_THROWS_WITH_AS(probe(graph, Probe::Check::dims, {graph.input("b", {Dtype::f32, kNoRows, {6}})}),
                       "probe: x is F32 [6]; wanted [2, 3]", ShapeError);
  CHECK_THROWS_WITH_AS(probe(graph, Probe::Check::dims, {graph.input("c", {Dtype::f32, rows, {2, 3}})}),
                       "probe: x is F32 r[2] x [2, 3]; wanted [2, 3]", ShapeError);
}

TEST_CASE("require_same: takes two operands of one type") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 2, 1);
  const RowSpaceId others = graph.rows("s", 2, 1);
  const Value a = graph.input("a", {Dtype::f32, rows, {3}});
  const Value b = graph.input("b", {Dtype::f32, others, {3}});
  probe(graph, Probe::Check::same, {a, a});
  CHECK_THROWS_WITH_AS(probe(graph, Probe::Check::same, {a, b}),
                       "probe: operands are F32 r[2] x [3] and F32 s[2] x [3]; wanted equal types", ShapeError);
  CHECK_THROWS_WITH_AS(probe(graph, Probe::Check::same, {a, Value{}}), "probe: operands are F32 r[2] x [3] and absent; wanted equal types",
                       ShapeError);
}

}  // namespace op_test
