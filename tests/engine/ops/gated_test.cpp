#include "engine/ops/gated.h"

#include <array>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/activations.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace gated_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

GradientCase of(ActivationKind kind, std::int32_t rows, const std::string& space = "r") {
  Tensor a = random_tensor({rows, 5}, 1);
  for (auto& v : a.values<double>()) v = 2 * v + (v < 0 ? -0.01 : 0.01);
  return {{{"r", Segments(std::array{rows})}}, {{"a", a, space}, {"b", random_tensor({rows, 5}, 2), space}}, [kind](Graph&, const auto& v) {
            return gated(v[0], v[1], kind);
          }};
}

}  // namespace

TEST_CASE("gated: the product of an activation and a value") {
  for (const auto kind : kActivationKinds) {
    CAPTURE(name_of(kind));
    const GradientCase test = of(kind, 4);
    const auto a = numbers(test.operands[0].values), b = numbers(test.operands[1].values);
    std::vector<double> expected;
    for (std::size_t i = 0; i < a.size(); ++i) expected.push_back(activated(kind, a[i]) * b[i]);
    check_close(evaluate(test), expected);
    check_close(evaluate(test, Dtype::f32), expected, 3e-7);
  }
}

TEST_CASE("gated: gradients") {
  for (const auto kind : kActivationKinds) {
    CAPTURE(name_of(kind));
    check_gradients(of(kind, 4));
    check_gradients(of(kind, 4, ""));
  }
  check_gradients(of(ActivationKind::gelu, 0));
  check_gradients(of(ActivationKind::gelu, 1));
}

TEST_CASE("gated: keeps both factors") {
  CHECK(kept_values(of(ActivationKind::silu, 4), {"a", "b"}) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("gated: rejects factors of other types") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value a = graph.input("a", {Dtype::f32, rows, {3}});
  const Value b = graph.input("b", {Dtype::f32, rows, {2}});
  CHECK_THROWS_WITH_AS(gated(a, b, ActivationKind::silu), "gated: operands are F32 r[4] x [3] and F32 r[4] x [2]; wanted equal types",
                       ShapeError);
}

}  // namespace gated_test
