#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "engine/backend/cuda/backend.h"
#include "engine/core/random.h"
#include "engine/ops/accumulate.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gradient_norm.h"
#include "engine/optim/optimizer.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "tests/support/values.h"

namespace update_parity_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using OptimizerOf = std::unique_ptr<Optimizer> (*)(std::vector<Dims>);

Tensor normal_floats(const Dims& dims, std::uint64_t seed) {
  Tensor tensor(Dtype::f32, dims);
  Random random(seed, 5);
  for (auto& x : tensor.values<float>()) x = random.normal();
  return tensor;
}

/// Parameters of these shapes behind some steps of an optimizer, with gradients clipped to a norm; behind them, the last reported norm.
std::vector<std::vector<double>> trained_on(const Backend& backend, const std::vector<Dims>& shapes, OptimizerOf make, float loss) {
  constexpr std::int64_t kSteps = 4;
  const auto optimizer = make(shapes);
  Graph graph;
  const Value learning_rate = graph.input("learning_rate", {Dtype::f64, kNoRows, {}});
  const Value step = graph.input("step", {Dtype::i64, kNoRows, {}});
  std::vector<UpdateOperands> operands;
  std::vector<Value> gradients;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    UpdateOperands& operand = operands.emplace_back();
    operand.value = graph.state(fmt::format("value.{}", i), normal_floats(shapes[i], 100 + i));
    operand.gradient = graph.frozen(fmt::format("gradient.{}", i), normal_floats(shapes[i], 900 + i));
    gradients.push_back(operand.gradient);
    const auto names = optimizer->state_names(i);
    const auto states = optimizer->states(i);
    for (std::size_t s = 0; s < states.size(); ++s) operand.states.push_back(graph.state(names[s], states[s]));
  }
  const GradientNormValues norm = gradient_norm(gradients, graph.input("loss", {Dtype::f32, kNoRows, {}}), 3.0);
  graph.output("report", norm.report);
  graph.output("partial", norm.partial);
  append_update(optimizer->op(shapes.size()), {norm.scale, learning_rate, step}, operands);
  Session session(compile(std::move(graph), {.backend = &backend}));
  for (std::int64_t i = 0; i < kSteps; ++i) {
    session.input<double>("learning_rate")[0] = 0.1 / static_cast<double>(i + 1);
    session.input<std::int64_t>("step")[0] = i;
    session.input<float>("loss")[0] = loss;
    session.run();
  }
  std::vector<std::vector<double>> results;
  for (std::size_t i = 0; i < shapes.size(); ++i) results.push_back(numbers(session.result_tensor(fmt::format("updated.{}", i))));
  results.push_back({session.result<double>("report")[1]});
  return results;
}

/// Matrices with row and column states and without, vectors, a scalar, nothing at all; more tensors than one launch takes.
std::vector<Dims> shapes_of_parameters() {
  std::vector<Dims> shapes = {{3}, {130, 140}, {0}, {}, {70'001}, {128, 257}, {300, 4}};
  for (std::int64_t i = 0; i < 300; ++i) shapes.push_back({i % 7 + 1});
  return shapes;
}

std::unique_ptr<Optimizer> decaying_adamw(std::vector<Dims> shapes) { return make_adamw(std::move(shapes), {.weight_decay = 0.05}); }
std::unique_ptr<Optimizer> plain_sgd(std::vector<Dims> shapes) { return make_sgd(std::move(shapes), {.weight_decay = 0.01}); }
std::unique_ptr<Optimizer> momentum_sgd(std::vector<Dims> shapes) { return make_sgd(std::move(shapes), {.momentum = 0.9}); }
std::unique_ptr<Optimizer> early_adafactor(std::vector<Dims> shapes) {
  return make_adafactor(std::move(shapes), {.step_offset = 0, .weight_decay = 0.001});
}

std::unique_ptr<Optimizer> scaled_adafactor(std::vector<Dims> shapes) {
  return make_adafactor(std::move(shapes), {.step_offset = 0, .scale_parameter = true});
}

constexpr std::array<OptimizerOf, 5> kOptimizers = {decaying_adamw, plain_sgd, momentum_sgd, early_adafactor, scaled_adafactor};

}  // namespace

TEST_SUITE("cuda") {
  TEST_CASE("cuda: optimizers over many parameters, clipped") {
    const auto shapes = shapes_of_parameters();
    for (const auto make : kOptimizers) {
      CAPTURE(make({})->describe());
      const auto expected = trained_on(cpu_backend(), shapes, make, 1);
      const auto found = trained_on(cuda_backend(0), shapes, make, 1);
      const auto again = trained_on(cuda_backend(0), shapes, make, 1);
      REQUIRE(found.size() == expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        CAPTURE(i);
        check_close(found[i], expected[i], 1e-6);
        CHECK(found[i] == again[i]);
      }
    }
  }

  TEST_CASE("cuda: a loss that is not finite changes no parameter") {
    const std::vector<Dims> shapes = {{3}, {130, 140}};
    for (const auto make : kOptimizers) {
      const auto found = trained_on(cuda_backend(0), shapes, make, std::numeric_limits<float>::quiet_NaN());
      for (std::size_t i = 0; i < shapes.size(); ++i) CHECK(found[i] == numbers(normal_floats(shapes[i], 100 + i)));
    }
  }

  TEST_CASE("cuda: work before the steps is captured with them") {
    Graph graph;
    const Value x = graph.input("x", {Dtype::f32, kNoRows, {3}});
    graph.output("y", scale(x, 2));
    Session session(compile(std::move(graph), {.backend = &cuda_backend(0)}));
    int calls = 0;
    session.set_prologue([&] { ++calls; });
    const auto runs = [&](int count) {
      for (int i = 0; i < count; ++i) {
        session.set<float>("x", std::array{1.0F, 2.0F, static_cast<float>(i)});
        session.run();
        CHECK(numbers(session.result_tensor("y")) == std::vector<double>{2, 4, 2.0 * i});
      }
    };
    // the first run launches kernel by kernel, the second one is captured
    runs(5);
    CHECK(calls == 2);
    session.drop_captured();
    runs(3);
    CHECK(calls == 4);
  }

  TEST_CASE("cuda: sums over several runs, in float32 and in double") {
    for (const Dtype type : {Dtype::f32, Dtype::f64}) {
      Graph graph;
      const Value x = graph.input("x", {Dtype::f32, kNoRows, {3}});
      graph.output("sum", accumulate(graph.state("sum", Tensor(type, {3})), x, graph.input("first", {Dtype::i32, kNoRows, {}})));
      Session session(compile(std::move(graph), {.backend = &cuda_backend(0)}));
      const auto add = [&](std::array<float, 3> values, bool first) {
        session.set<float>("x", values);
        session.input<std::int32_t>("first")[0] = first ? 1 : 0;
        session.run();
        return numbers(session.result_tensor("sum"));
      };
      CHECK(add({1, 2, 3}, true) == std::vector<double>{1, 2, 3});
      CHECK(add({0.5, -2, 10}, false) == std::vector<double>{1.5, 0, 13});
      CHECK(add({4, 4, -0.0F}, true) == std::vector<double>{4, 4, 0});
    }
  }
}

}  // namespace update_parity_test
