#include "engine/ops/feed_forward.h"

#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/backend/cpu/feed_forward_scratch.h"
#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "engine/ops/elementwise.h"
#include "engine/runtime/session.h"
#include "tests/support/activations.h"
#include "tests/support/gradient_check.h"
#include "tests/support/graphs.h"
#include "tests/support/values.h"

namespace feed_forward_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int64_t kIn = 3, kOut = 2;
/// Several chunks of columns, the last one smaller than the others and no multiple of 8.
constexpr std::int64_t kWide = 2 * FeedForwardScratch::kMost + 5;

struct Kind {
  ActivationKind function = ActivationKind::gelu;
  WeightLayout first = WeightLayout::out_in, second = WeightLayout::out_in;
  bool biased = true;
};

Value two_products(const Kind& kind, const std::vector<Value>& v) {
  const Value h = activation(linear(v[0], v[1], kind.biased ? v[2] : Value{}, kind.first), kind.function);
  return linear(h, v[3], kind.biased ? v[4] : Value{}, kind.second);
}

/// More rows than a product that reads its weights where they lie may have.
constexpr std::int32_t kRows = 18;

/// Operands x [rows, kIn], w1, b1, w2, b2; `frozen`: only x may have a gradient.
GradientCase of(std::int64_t width, const Kind& kind, bool frozen, std::function<Value(Graph&, const std::vector<Value>&)> build = {},
                std::int32_t rows = kRows) {
  const Dims w1 = kind.first == WeightLayout::out_in ? Dims{width, kIn} : Dims{kIn, width};
  const Dims w2 = kind.second == WeightLayout::out_in ? Dims{kOut, width} : Dims{width, kOut};
  if (!build) build = [kind](Graph&, const auto& v) { return two_products(kind, v); };
  GradientCase test{{{"r", Segments(std::array{2, rows - 2})}},
                    {{"x", random_tensor({rows, kIn}, 1), "r"},
                     {"w1", random_tensor(w1, 2)},
                     {"b1", random_tensor({width}, 3)},
                     {"w2", random_tensor(w2, 4)},
                     {"b2", random_tensor({kOut}, 5)}},
                    std::move(build)};
  for (auto& operand : test.operands) {
    const bool bias = operand.name.front() == 'b';
    operand.differentiable = !(frozen && operand.name != "x") && !(bias && !kind.biased);
  }
  return test;
}

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  for (const auto function : kActivationKinds) all.push_back({.function = function});
  for (const auto first : {WeightLayout::out_in, WeightLayout::in_out}) {
    for (const auto second : {WeightLayout::out_in, WeightLayout::in_out}) all.push_back({ActivationKind::gelu_tanh, first, second, false});
  }
  return all;
}

/// Program for Σ y² with the gradient of x, weights frozen, for the case's rows.
std::shared_ptr<const Program> trained(const GradientCase& test, Dtype real, Budget budget, bool fuse = true) {
  Graph graph(real);
  const RowSpaceId rows = graph.rows("r", test.operands[0].values.dim(0), 2);
  std::vector<Value> values;
  for (const auto& operand : test.operands) {
    const Tensor tensor = operand.values.to(real);
    values.push_back(operand.space.empty() ? graph.frozen(operand.name, tensor) : graph.trainable(operand.name, tensor.clone(), rows));
  }
  // a trainable leaf is there all the time: what is made of it can be given up and made again
  values[0] = scale(values[0], 2);
  const Value y = test.build(graph, values);
  graph.output("loss", dot(y, y));
  return compile(std::move(graph), {.loss = "loss", .memory = budget, .fuse = fuse});
}

Tensor gradient(const std::shared_ptr<const Program>& program) {
  Session session(program);
  session.run();
  return session.result_tensor("grad.x");
}

}  // namespace

TEST_CASE("feed_forward: two products with a function between them, by hand") {
  GradientCase test = of(2, {.function = ActivationKind::relu}, true, {}, 5);
  test.operands[0].values = doubles({5, kIn}, {1, 2, 3, 0, 0, 0, -1, 0, 1, 1, 0, 0, 0, -2, 0});
  test.operands[1].values = doubles({2, kIn}, {1, 0, 1, 0, -1, 0});
  test.operands[2].values = doubles({2}, {0.5, -0.5});
  test.operands[3].values = doubles({kOut, 2}, {1, 2, 3, -1});
  test.operands[4].values = doubles({kOut}, {10, 20});
  // a = (4.5, -2.5), (0.5, -0.5), (0.5, -0.5), (1.5, -0.5), (0.5, 1.5)
  check_close(numbers(evaluate(test)), {14.5, 33.5, 10.5, 21.5, 10.5, 21.5, 11.5, 24.5, 13.5, 20}, 1e-15);
}

TEST_CASE("feed_forward: many chunks of columns give what two products give") {
  for (const auto& kind : kinds()) {
    CAPTURE(name_of(kind.function));
    for (const std::int64_t width : {std::int64_t{1}, FeedForwardScratch::kMost, kWide}) {
      // a few rows read both weights where they lie
      for (const std::int32_t rows : {3, kRows}) {
        const GradientCase test = of(width, kind, true, {}, rows);
        check_close(numbers(evaluate(test)), numbers(evaluate(test, Dtype::f64, false)), 1e-13);
        check_close(numbers(evaluate(test, Dtype::f32)), numbers(evaluate(test)), 1e-5);
      }
    }
  }
}

TEST_CASE("feed_forward: gradients for every subset of operands") {
  for (const auto& kind : kinds()) {
    CAPTURE(name_of(kind.function));
    check_gradients(of(4, kind, false));
  }
}

TEST_CASE("feed_forward: gradients of the input over many chunks, with what is kept and from the input again") {
  for (const auto& kind : kinds()) {
    CAPTURE(name_of(kind.function));
    const GradientCase test = of(kWide, kind, true);
    check_gradients(test);
    const auto plain = numbers(gradient(trained(test, Dtype::f64, Budget::none(), false)));
    for (const auto& budget : {Budget::none(), Budget::smallest()}) {
      const auto program = trained(test, Dtype::f64, budget);
      // where the gradient reads f(a) and it is kept, it exists
      const bool kept = slope_reads_result(kind.function) && budget.kind == Budget::Kind::none;
      CHECK(count_ops(program->graph(), "feed_forward", Phase::forward) == (kept ? 0 : 1));
      CHECK(count_ops(program->graph(), "feed_forward_grad", Phase::backward) == 1);
      CHECK(count_ops(program->graph(), "linear") == (kept ? 2 : 0));
      check_close(numbers(gradient(program)), plain, 1e-12);
    }
  }
}

TEST_CASE("feed_forward: a sum that dies takes the products in, in both passes") {
  const GradientCase test = of(kWide, {}, true, [](Graph&, const std::vector<Value>& v) {
    const Value before = linear(v[0], v[3], {}, WeightLayout::in_out);  // [r, width]
    const Value x = linear(before, v[1], {}, WeightLayout::in_out);     // [r, kIn]
    const Value inner = activation(linear(scale(x, 0.5), v[1], v[2]), ActivationKind::gelu);
    return add(x, linear(inner, v[1], {}, WeightLayout::in_out));
  });
  GradientCase square = test;
  square.operands[0].values = random_tensor({kRows, kOut}, 6);
  check_gradients(square);
  check_close(numbers(evaluate(square)), numbers(evaluate(square, Dtype::f64, false)), 1e-12);
}

TEST_CASE("feed_forward: keeps the argument of the function, or a mask, and none of the wide values besides") {
  CHECK(kept_values(of(4, {}, true), {"x"}) == std::vector<std::string>{"feed_forward#1", "w1", "w2"});
  CHECK(kept_values(of(4, {.function = ActivationKind::relu}, true), {"x"}) == std::vector<std::string>{"feed_forward#1", "w1", "w2"});
  // from the input again: nothing that wide exists
  const auto program = trained(of(kWide, {}, true), Dtype::f32, Budget::smallest());
  const std::int64_t wide = kRows * kWide * 4;
  for (const auto& buffer : program->liveness().buffers) CHECK(buffer.bytes < wide);
}

TEST_CASE("feed_forward: weights in bf16 give what their float values give") {
  for (const Kind& kind : {Kind{}, Kind{ActivationKind::relu, WeightLayout::in_out, WeightLayout::in_out, true}}) {
    GradientCase test = of(kWide, kind, true);
    for (const std::size_t i : {1U, 3U}) test.operands[i].values = test.operands[i].values.to(Dtype::f32).to(Dtype::bf16).to(Dtype::f64);
    GradientCase stored = test;
    stored.build = [kind, test](Graph& graph, std::vector<Value> v) {
      for (const std::size_t i : {1U, 3U}) v[i] = graph.frozen("stored." + test.operands[i].name, test.operands[i].values.to(Dtype::bf16));
      return two_products(kind, v);
    };
    CHECK(numbers(evaluate(stored, Dtype::f32)) == numbers(evaluate(test, Dtype::f32)));
    for (const auto& budget : {Budget::none(), Budget::smallest()}) {
      CHECK(numbers(gradient(trained(stored, Dtype::f32, budget))) == numbers(gradient(trained(test, Dtype::f32, budget))));
    }
  }
}

TEST_CASE("feed_forward: results do not depend on the number of threads") {
  const GradientCase test = of(kWide, {}, true);
  for (const auto& budget : {Budget::none(), Budget::smallest()}) {
    set_threads(1);
    const Tensor one = gradient(trained(test, Dtype::f32, budget));
    set_threads(2);
    const Tensor two = gradient(trained(test, Dtype::f32, budget));
    set_threads(0);
    CHECK(std::memcmp(one.data(), two.data(), one.bytes()) == 0);
  }
}

TEST_CASE("feed_forward: rejects operands that do not fit") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const auto leaf = [&](const char* name, Dims dims) { return graph.frozen(name, Tensor(Dtype::f32, std::move(dims))); };
  const Value x = graph.input("x", {Dtype::f32, rows, {kIn}});
  const Value w1 = leaf("w1", {8, kIn}), w2 = leaf("w2", {kOut, 8}), narrow = leaf("narrow", {kOut, 7}), b = leaf("b", {7});
  const auto forward = [&](std::vector<Value> operands) {
    return graph.add(std::make_shared<FeedForward>(ActivationKind::gelu, WeightLayout::out_in, WeightLayout::out_in), std::move(operands));
  };
  CHECK_NOTHROW(forward({x, w1, {}, w2}));
  CHECK_THROWS_WITH_AS(forward({x, w1, {}, narrow}), "feed_forward: w1 is F32 [8, 3] and w2 is F32 [2, 7]; wanted one width between them",
                       ShapeError);
  CHECK_THROWS_WITH_AS(forward({x, w1, b, w2}), "feed_forward: b1 is F32 [7]; wanted [8]", ShapeError);
  CHECK_THROWS_WITH_AS(forward({x, w1, {}, w2, {}, x}), "feed_forward: residual is F32 r[4] x [3]; wanted F32 r[4] x [2]", ShapeError);
  CHECK_THROWS_WITH_AS(forward({x, b, {}, w2}), "feed_forward: w1 is F32 [7]; wanted a matrix", ShapeError);
  const auto backward = [&](bool recomputes, Value kept) {
    const Value dy = graph.input("dy." + std::to_string(graph.size()), {Dtype::f32, rows, {kOut}});
    return graph.add(std::make_shared<FeedForwardGrad>(ActivationKind::gelu, WeightLayout::out_in, WeightLayout::out_in, recomputes),
                     {kept, dy, w1, {}, w2});
  };
  CHECK_NOTHROW(backward(true, x));
  CHECK_THROWS_WITH_AS(backward(false, x), "feed_forward_grad: the kept value is F32 r[4] x [3]; wanted F32 r[4] x [8]", ShapeError);
}

}  // namespace feed_forward_test
