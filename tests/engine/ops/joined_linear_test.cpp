#include "engine/ops/joined_linear.h"

#include <memory>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/graphs.h"

namespace joined_linear_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

struct Maps {
  Maps() : rows(graph.rows("rows", 4, 1)), x(graph.input("x", {Dtype::bf16, rows, {16}})) {}

  Value matrix(const char* name, std::int64_t out, std::int64_t in = 16, Dtype dtype = Dtype::bf16) {
    return graph.frozen(name, Tensor(dtype, {out, in}));
  }
  Value bias(const char* name, std::int64_t out) { return graph.frozen(name, Tensor(Dtype::f32, {out})); }

  Graph graph{Dtype::bf16};
  RowSpaceId rows;
  Value x;
};

}  // namespace

TEST_CASE("joined_linear: results lie side by side, and the gradient is the transposed map") {
  Maps m;
  const Value y = joined_linear(m.x, {m.matrix("a", 8), m.matrix("b", 24)}, {m.bias("c", 8), m.bias("d", 24)});
  CHECK(y.type() == Type{Dtype::bf16, m.rows, {32}});
  const auto op = std::make_shared<JoinedLinear>(2, true);
  const Value dx = m.graph.add(op, {y, m.x, m.graph.leaf("a"), m.graph.leaf("b")});
  CHECK(dx.type() == m.x.type());
  CHECK(op->flops({m.graph, m.graph.node(dx), {}}) == 2.0 * 4 * 32 * 16);
}

TEST_CASE("joined_linear: rejects maps that do not go together") {
  Maps m;
  const Value a = m.matrix("a", 8);
  CHECK_THROWS_AS(joined_linear(m.x, {a, m.matrix("b", 8, 24)}, {}), ShapeError);
  CHECK_THROWS_AS(joined_linear(m.x, {m.matrix("c", 8, 24)}, {}), ShapeError);
  CHECK_THROWS_AS(joined_linear(m.x, {a, m.matrix("d", 8, 16, Dtype::f32)}, {}), UnsupportedError);
  CHECK_THROWS_AS(joined_linear(m.x, {a, m.matrix("e", 8)}, {m.bias("f", 8)}), ShapeError);
  CHECK_THROWS_AS(joined_linear(m.x, {a}, {m.bias("g", 9)}), ShapeError);
  CHECK_THROWS_AS(joined_linear(m.x, {}, {}), ShapeError);
}

}  // namespace joined_linear_test
