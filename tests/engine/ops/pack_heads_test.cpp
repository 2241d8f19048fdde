#include "engine/ops/pack_heads.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace pack_heads_test {

using namespace preamble;
using namespace preamble::testing;

TEST_CASE("pack_heads: a row holds all layers and heads of a position") {
  // two layers of one head, two positions, two numbers
  const Tensor x = doubles({2, 1, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const GradientCase packed{{}, {{"x", x}}, [](Graph&, const auto& v) { return pack_heads(v[0]); }};
  check_close(evaluate(packed), {1, 2, 5, 6, 3, 4, 7, 8});
  const GradientCase back{{}, {{"x", x}}, [](Graph&, const auto& v) { return unpack_heads(pack_heads(v[0]), {2, 1, 2, 2}); }};
  check_close(evaluate(back), {1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("pack_heads: gradients are the inverse") {
  const GradientCase packed{{}, {{"x", random_tensor({2, 3, 4, 2}, 1)}}, [](Graph&, const auto& v) { return pack_heads(v[0]); }};
  check_gradients(packed);
  CHECK(kept_values(packed, {"x"}).empty());
  const GradientCase unpacked{{}, {{"y", random_tensor({4, 12}, 2)}}, [](Graph&, const auto& v) {
                                return unpack_heads(v[0], {2, 3, 4, 2});
                              }};
  check_gradients(unpacked);
}

TEST_CASE("pack_heads: rejects other shapes") {
  Graph graph;
  const Value x = graph.frozen("x", Tensor(Dtype::f32, {2, 4}));
  CHECK_THROWS_WITH_AS(pack_heads(x), "pack_heads: x is F32 [2, 4]; wanted [L, H, P, d]", ShapeError);
  CHECK_THROWS_WITH_AS(unpack_heads(x, {1, 2, 2, 3}), "unpack_heads: y is F32 [2, 4]; wanted [2, 6]", ShapeError);
  CHECK_THROWS_WITH_AS(unpack_heads(x, {2, 4}), "unpack_heads: dimensions [2, 4] were given; wanted [L, H, P, d]", ShapeError);
}

}  // namespace pack_heads_test
