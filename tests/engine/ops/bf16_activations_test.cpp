// Activations in bf16 on the CPU: kernels of their own, and kernels that compute in float32 over converted values.
#include <array>
#include <cmath>
#include <functional>
#include <vector>

#include <doctest/doctest.h>

#include "engine/ops/activation.h"
#include "engine/ops/cast.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"
#include "engine/ops/linear_cross_entropy.h"
#include "engine/ops/norm.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "tests/support/gradient_check.h"
#include "tests/support/threads.h"
#include "tests/support/values.h"

using namespace preamble;
using namespace preamble::testing;

namespace {

using Build = std::function<Value(Graph&, Value x)>;

/// The value that `build` makes of rows x, with activations of a type; inputs are rounded to bf16 either way.
std::vector<double> result(Dtype real, std::int64_t rows, std::int64_t width, const Build& build) {
  Graph graph(real);
  const RowSpaceId space = graph.rows("r", rows + 3, 1);
  const Value x = graph.input("x", {Dtype::f32, space, {width}});
  graph.output("y", cast(build(graph, cast(x, real)), Dtype::f32));
  Session session(compile(std::move(graph)));
  const std::array lengths = {static_cast<std::int32_t>(rows)};
  session.rows("r", Segments(lengths));
  const Tensor values = random_tensor({rows, width}, 1).to(Dtype::f32).to(Dtype::bf16).to(Dtype::f32);
  session.set<float>("x", values.values<float>());
  session.run();
  return numbers(session.result_tensor("y"));
}

/// bf16 keeps eight bits: results agree to a few parts in a hundred of the largest.
void check_near(std::int64_t rows, std::int64_t width, const Build& build, double tolerance = 0.02) {
  const auto expected = result(Dtype::f32, rows, width, build);
  std::vector<double> first;
  for (const int threads : {1, 3}) {
    const Threads limit(threads);
    const auto given = result(Dtype::bf16, rows, width, build);
    check_close(given, expected, tolerance);
    if (first.empty()) first = given;
    CHECK(given == first);
  }
}

Value matrix(Graph& graph, const char* name, Dims dims, std::uint64_t seed) {
  return graph.frozen(name, random_tensor(std::move(dims), seed).to(Dtype::f32).to(Dtype::bf16));
}

Value vector(Graph& graph, const char* name, std::int64_t width, std::uint64_t seed) {
  return graph.frozen(name, random_tensor({width}, seed).to(Dtype::f32));
}

}  // namespace

TEST_CASE("bf16 activations: products of few and of many rows, with bias, residual and function") {
  for (const std::int64_t rows : {1, 16, 17, 70}) {
    for (const std::int64_t width : {36, 64}) {
      for (const auto layout : {WeightLayout::out_in, WeightLayout::in_out}) {
        const Dims dims = layout == WeightLayout::out_in ? Dims{75, width} : Dims{width, 75};
        const Dims square = {width, width};
        check_near(rows, width, [&](Graph& g, Value x) { return linear(x, matrix(g, "w", dims, 2), vector(g, "b", 75, 3), layout); });
        check_near(rows, width, [&](Graph& g, Value x) { return linear_add(x, matrix(g, "w", square, 2), {}, x, layout); });
        for (const auto kind : {ActivationKind::relu, ActivationKind::gelu_tanh, ActivationKind::silu}) {
          check_near(rows, width,
                     [&](Graph& g, Value x) { return linear_activation(x, matrix(g, "w", dims, 2), vector(g, "b", 75, 3), layout, kind); });
        }
      }
    }
  }
}

TEST_CASE("bf16 activations: ops without a kernel of their own, and those that write over an operand") {
  check_near(20, 48, [](Graph& g, Value x) { return rms_norm(x, vector(g, "scale", 48, 4), 1e-6); });
  check_near(20, 48, [](Graph&, Value x) { return add(scale(x, 0.5), activation(x, ActivationKind::gelu)); });
  check_near(
      20, 48,
      [](Graph& g, Value x) {
        const Value y = linear(x, matrix(g, "w", {48, 48}, 5));
        return add(rms_norm(add(x, y), vector(g, "scale", 48, 4), 1e-6), y);
      },
      0.05);
}
