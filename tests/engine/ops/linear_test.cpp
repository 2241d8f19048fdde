#include "engine/ops/linear.h"

#include <array>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/reduce.h"
#include "tests/support/activations.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace linear_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int64_t kIn = 4, kOut = 3;

/// The first `count` of the operands x, w, b, residual.
GradientCase of(std::int32_t rows, WeightLayout layout, std::size_t count, std::function<Value(Graph&, const std::vector<Value>&)> build) {
  const Dims w = layout == WeightLayout::out_in ? Dims{kOut, kIn} : Dims{kIn, kOut};
  GradientCase test{{{"r", Segments(std::array{rows})}},
                    {{"x", random_tensor({rows, kIn}, 1), "r"},
                     {"w", random_tensor(w, 2)},
                     {"b", random_tensor({kOut}, 3)},
                     {"residual", random_tensor({rows, kOut}, 4), "r"}},
                    std::move(build)};
  test.operands.resize(count);
  return test;
}

GradientCase affine(std::int32_t rows, WeightLayout layout) {
  return of(rows, layout, 4, [layout](Graph&, const auto& v) { return linear_add(v[0], v[1], v[2], v[3], layout); });
}

std::vector<double> by_hand(const GradientCase& test, WeightLayout layout) {
  const auto x = numbers(test.operands[0].values), w = numbers(test.operands[1].values), b = numbers(test.operands[2].values),
             residual = numbers(test.operands[3].values);
  std::vector<double> y;
  for (std::size_t r = 0; r < x.size() / kIn; ++r) {
    for (std::size_t n = 0; n < kOut; ++n) {
      double sum = b[n] + residual[r * kOut + n];
      for (std::size_t k = 0; k < kIn; ++k) sum += x[r * kIn + k] * w[layout == WeightLayout::out_in ? n * kIn + k : k * kOut + n];
      y.push_back(sum);
    }
  }
  return y;
}

}  // namespace

TEST_CASE("linear: the affine map of rows plus a residual, for both weight layouts") {
  for (const auto layout : {WeightLayout::out_in, WeightLayout::in_out}) {
    for (const std::int32_t rows : {0, 1, 5, 20}) {
      const GradientCase test = affine(rows, layout);
      check_close(evaluate(test), by_hand(test, layout));
      check_close(evaluate(test, Dtype::f32), by_hand(test, layout), 1e-6);
    }
  }
}

TEST_CASE("linear: gradients of input, weight, bias and residual") {
  for (const auto layout : {WeightLayout::out_in, WeightLayout::in_out}) {
    check_gradients(affine(5, layout));
    check_gradients(affine(17, layout));
    check_gradients(of(5, layout, 2, [layout](Graph&, const auto& v) { return linear(v[0], v[1], {}, layout); }));
  }
}

TEST_CASE("linear: gradients with an activation in the epilogue") {
  for (const auto kind : kActivationKinds) {
    CAPTURE(name_of(kind));
    check_gradients(of(4, WeightLayout::out_in, 3, [kind](Graph&, const auto& v) { return linear_activation(v[0], v[1], v[2], WeightLayout::out_in, kind); }));
  }
}

TEST_CASE("linear: a frozen weight keeps no activation") {
  CHECK(kept_values(affine(5, WeightLayout::out_in), {"x"}) == std::vector<std::string>{"w"});
  CHECK(kept_values(affine(5, WeightLayout::out_in), {"b", "residual"}).empty());
}

TEST_CASE("linear: a weight in bf16 gives what its float values give") {
  Tensor weight = random_tensor({kOut, kIn}, 2).to(Dtype::f32).to(Dtype::bf16);
  for (const auto layout : {WeightLayout::out_in, WeightLayout::in_out}) {
    const Tensor stored = layout == WeightLayout::out_in ? weight : weight.reshaped({kIn, kOut});
    const auto with = [&](Tensor w) {
      GradientCase test = of(20, layout, 3, [layout](Graph&, const auto& v) { return linear(v[0], v[1], v[2], layout); });
      test.operands[1].values = std::move(w);
      return test;
    };
    // the harness converts floating operands to the graph's type: give bf16 as a leaf of its own
    GradientCase test = with(stored.to(Dtype::f64));
    test.build = [layout, stored](Graph& graph, const auto& v) { return linear(v[0], graph.frozen("bf16", stored), v[2], layout); };
    CHECK(numbers(evaluate(test, Dtype::f32)) == numbers(evaluate(with(stored.to(Dtype::f64)), Dtype::f32)));
    // the stored weight takes the place of the float one, which must not be asked for a gradient
    test.operands[1].differentiable = false;
    check_gradients(test);
  }
}

TEST_CASE("linear: rejects operands that do not fit") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value x = graph.input("x", {Dtype::f32, rows, {5}});
  const Value w = graph.frozen("w", Tensor(Dtype::f32, {3, 4}));
  CHECK_THROWS_WITH_AS(linear(x, w), "linear: x is F32 r[4] x [5] and w is F32 [3, 4]; wanted [N, 5] for w", ShapeError);
  CHECK_THROWS_WITH_AS(linear(x, graph.frozen("i", Tensor(Dtype::i32, {3, 5}))), "linear: w is I32 [3, 5]; wanted F32, BF16, F16 or a quantised type", DtypeError);
  const Value b = graph.frozen("b", Tensor(Dtype::f32, {2}));
  const Value v = graph.frozen("v", Tensor(Dtype::f32, {3, 5}));
  CHECK_THROWS_WITH_AS(linear(x, v, b), "linear: b is F32 [2]; wanted [3]", ShapeError);
}

TEST_CASE("outer_sum and sum_rows: sums over the rows of the batch") {
  GradientCase test = affine(3, WeightLayout::out_in);
  const auto x = numbers(test.operands[0].values), r = numbers(test.operands[3].values);
  std::vector<double> outer(kOut * kIn), sums(kIn);
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t n = 0; n < kOut; ++n) {
      for (std::size_t k = 0; k < kIn; ++k) outer[n * kIn + k] += r[row * kOut + n] * x[row * kIn + k];
    }
    for (std::size_t k = 0; k < kIn; ++k) sums[k] += x[row * kIn + k];
  }
  test.build = [](Graph&, const auto& v) { return outer_sum(v[3], v[0]); };
  check_close(evaluate(test), outer);
  test.build = [](Graph&, const auto& v) { return sum_rows(v[0]); };
  check_close(evaluate(test), sums);
}

}  // namespace linear_test
