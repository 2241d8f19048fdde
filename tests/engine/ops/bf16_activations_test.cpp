// Activations in bf16 on the CPU: kernels of their own, and kernels that compute in float32 over converted values.
#include <array>
#include <cmath>
#include <functional>
#include <vector>

#include <doctest/doctest.h>

#include "engine/ops/activation.h"
#include "engine/ops/cast.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gated.h"
#include "engine/ops/head_linear.h"
#include "engine/ops/linear.h"
#include "engine/ops/linear_cross_entropy.h"
#include "engine/ops/norm.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "tests/support/gradient_check.h"
#include "tests/support/threads.h"
#include "tests/support/values.h"

namespace bf16_activations_test {

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

TEST_CASE("bf16 activations: a matrix per head, of whole units of a product or not") {
  for (const std::int64_t rows : {1, 20, 70}) {
    for (const auto& [narrow, wide] : {std::array<std::int64_t, 2>{32, 96}, {64, 160}, {24, 96}}) {
      constexpr std::int64_t kHeads = 3;
      const Dims dims = {kHeads * narrow, wide};
      check_near(rows, kHeads * narrow, [&](Graph& g, Value x) { return head_expand(x, matrix(g, "w", dims, 2), kHeads); });
      check_near(rows, kHeads * wide, [&](Graph& g, Value x) { return head_reduce(x, matrix(g, "w", dims, 2), kHeads); });
    }
  }
}

TEST_CASE("bf16 activations: gradients of norms and gates") {
  const auto check = [](const char* name, const Build& build) {
    CAPTURE(name);
    constexpr std::int64_t kRows = 30, kWidth = 48;
    const auto gradient = [&](Dtype real) {
      Graph graph(real);
      const RowSpaceId space = graph.rows("r", kRows, 1);
      const Tensor values = random_tensor({kRows, kWidth}, 1).to(Dtype::bf16);
      const Value x = cast(graph.trainable("x", values.to(graph.statistic()).clone(), space), real);
      const Value y = build(graph, x);
      graph.output("loss", dot(y, graph.frozen("direction", random_tensor({kRows, y.type().width()}, 9).to(Dtype::bf16).to(real), space)));
      CompileOptions options;
      options.loss = "loss";
      Session session(compile(std::move(graph), options));
      const std::array lengths = {static_cast<std::int32_t>(kRows)};
      session.rows("r", Segments(lengths));
      session.run();
      return numbers(session.result_tensor("grad.x").to(Dtype::f32));
    };
    const auto expected = gradient(Dtype::f32);
    std::vector<double> first;
    for (const int threads : {1, 3}) {
      const Threads limit(threads);
      const auto given = gradient(Dtype::bf16);
      check_close(given, expected, 0.03);
      if (first.empty()) first = given;
      CHECK(given == first);
    }
  };
  const auto scale = [](Graph& g) { return vector(g, "scale", 48, 4); };
  check("rms", [&](Graph& g, Value x) { return rms_norm(x, scale(g), 1e-6); });
  check("layer", [&](Graph& g, Value x) { return layer_norm(x, scale(g), vector(g, "bias", 48, 5), 1e-6); });
  check("residual", [&](Graph& g, Value x) {
    const Value sum = add(x, linear(x, matrix(g, "w", {48, 48}, 5)));
    return add(rms_norm(sum, scale(g), 1e-6), sum);
  });
  for (const auto kind : {ActivationKind::gelu_tanh, ActivationKind::silu}) {
    check("gate", [&](Graph& g, Value x) { return gated(linear(x, matrix(g, "w", {48, 48}, 5)), x, kind); });
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

}  // namespace bf16_activations_test
