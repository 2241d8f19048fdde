#include "engine/ops/linear_cross_entropy.h"

#include <array>

#include <doctest/doctest.h>

#include "engine/backend/cpu/loss_chunks.h"
#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "engine/ops/linear.h"
#include "engine/runtime/session.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace linear_cross_entropy_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

struct Sizes {
  std::int32_t rows;
  std::int64_t width, vocabulary;
};

GradientCase of(Sizes sizes, double z_loss, bool bias = true, double weight = 0.3) {
  std::vector<std::int32_t> labels;
  for (std::int32_t r = 0; r < sizes.rows; ++r) labels.push_back(static_cast<std::int32_t>((r * 7919LL + 3) % sizes.vocabulary));
  GradientCase test{
      {{"r", Segments(std::array{sizes.rows})}},
      {{"x", random_tensor({sizes.rows, sizes.width}, 1), "r"},
       {"w", random_tensor({sizes.vocabulary, sizes.width}, 2)},
       {"labels", indices(labels), "r"},
       {"weight", doubles({}, {weight})}},
      [z_loss](Graph&, const auto& v) { return linear_cross_entropy(v[0], v[1], v.size() > 4 ? v[4] : Value{}, v[2], v[3], z_loss); }};
  test.operands[3].differentiable = false;
  if (bias) test.operands.push_back({"bias", random_tensor({sizes.vocabulary}, 3)});
  return test;
}

/// Loss, and gradients of x, w and bias: fused, or by `linear` and `cross_entropy`.
std::vector<std::vector<double>> losses_and_gradients(Sizes sizes, bool fused, Dtype stored = Dtype::f64, bool train_w = true) {
  const GradientCase test = of(sizes, 0.01);
  Graph graph(Dtype::f64);
  const RowSpaceId rows = graph.rows("r", sizes.rows, 1);
  const Value x = graph.trainable("x", test.operands[0].values.clone(), rows);
  const Tensor w_values = test.operands[1].values.to(Dtype::bf16).to(stored);
  const Value w = train_w ? graph.trainable("w", w_values) : graph.frozen("w", w_values);
  const Value labels = graph.input("labels", {Dtype::i32, rows, {}});
  const Value weight = graph.frozen("weight", test.operands[3].values);
  const Value bias = graph.trainable("bias", test.operands[4].values.clone());
  graph.output("loss",
               fused ? linear_cross_entropy(x, w, bias, labels, weight, 0.01) : cross_entropy(linear(x, w, bias), labels, weight, 0.01));
  Session session(compile(std::move(graph), {.loss = "loss", .fuse = false}));
  session.rows("r", Segments(std::array{sizes.rows}));
  session.set<std::int32_t>("labels", test.operands[2].values.values<std::int32_t>());
  session.run();
  std::vector<std::vector<double>> result = {numbers(session.result_tensor("loss")), numbers(session.result_tensor("grad.x")),
                                             numbers(session.result_tensor("grad.bias"))};
  if (train_w) result.push_back(numbers(session.result_tensor("grad.w")));
  return result;
}

void check_equal(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    check_close(a[i], b[i], 1e-12);
  }
}

}  // namespace

TEST_CASE("linear_cross_entropy: a row of two classes") {
  // logits (1 · 2 + 1, 0) = (3, 0)
  const GradientCase test{{{"r", Segments(std::array{1})}},
                          {{"x", doubles({1, 1}, {1}), "r"},
                           {"w", doubles({2, 1}, {2, 0})},
                           {"b", doubles({2}, {1, 0})},
                           {"labels", indices({1}), "r"},
                           {"weight", doubles({}, {2})}},
                          [](Graph&, const auto& v) { return linear_cross_entropy(v[0], v[1], v[2], v[3], v[4]); }};
  check_close(evaluate(test), {2 * std::log1p(std::exp(3.0))});
}

TEST_CASE("linear_cross_entropy: gradients") {
  check_gradients(of({4, 3, 5}, 0));
  check_gradients(of({4, 3, 5}, 0.1));
  check_gradients(of({4, 3, 5}, 0.1, false));
  check_gradients(of({1, 1, 1}, 0.1));
  check_gradients(of({0, 3, 5}, 0));
}

TEST_CASE("linear_cross_entropy: the backward pass reads the gradients made in the forward pass, not x or w") {
  CHECK(kept_values(of({4, 3, 5}, 0), {"x"}) == std::vector<std::string>{"linear_cross_entropy#2"});
  CHECK(kept_values(of({4, 3, 5}, 0), {"bias", "w", "x"}) ==
        std::vector<std::string>{"linear_cross_entropy#2", "linear_cross_entropy#3", "linear_cross_entropy#4"});
}

TEST_CASE("linear_cross_entropy: chunks of rows add up to the whole") {
  const Sizes sizes{40, 2, 1 << 18};  // 16 rows of logits at a time: 16 + 16 + 8
  CHECK(LossChunks::of(sizes.rows, sizes.width, sizes.vocabulary, false).rows == 16);
  check_equal(losses_and_gradients(sizes, true), losses_and_gradients(sizes, false));
}

TEST_CASE("linear_cross_entropy: bf16 weights are converted block by block") {
  const Sizes sizes{5, 512, 5000};
  CHECK(LossChunks::of(sizes.rows, sizes.width, sizes.vocabulary, true).vocabulary == 2048);
  check_equal(losses_and_gradients(sizes, true, Dtype::bf16, false), losses_and_gradients(sizes, false, Dtype::f64, false));
}

TEST_CASE("linear_cross_entropy: results do not depend on the number of threads") {
  const Sizes sizes{37, 40, 3000};
  const int before = threads();
  set_threads(1);
  const auto one = losses_and_gradients(sizes, true);
  set_threads(3);
  const auto three = losses_and_gradients(sizes, true);
  set_threads(before);
  CHECK(one == three);
}

TEST_CASE("linear_cross_entropy: chunks hold about 4 million logits, 16 rows at least, all rows at most") {
  const auto rows = [](std::int64_t count, std::int64_t vocabulary) {
    return LossChunks::of(count, 768, vocabulary, false).rows;
  };
  CHECK(rows(2000, 32128) == 130);
  CHECK(rows(2000, 1 << 20) == 16);
  CHECK(rows(7, 1 << 20) == 7);
  CHECK(rows(100, 2) == 100);
}

TEST_CASE("linear_cross_entropy: rejects weights, labels and gradients that do not fit") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value x = graph.input("x", {Dtype::f32, rows, {3}});
  const Value w = graph.frozen("w", Tensor(Dtype::f32, {7, 3}));
  const Value turned = graph.frozen("turned", Tensor(Dtype::f32, {3, 7}));
  const Value whole = graph.frozen("whole", Tensor(Dtype::i32, {7, 3}));
  const Value bias = graph.frozen("bias", Tensor(Dtype::f32, {3}));
  const Value labels = graph.input("labels", {Dtype::i32, rows, {}});
  const Value others = graph.input("others", {Dtype::i32, graph.rows("q", 4, 1), {}});
  const Value weight = graph.input("weight", {Dtype::f32, kNoRows, {}});
  CHECK_THROWS_WITH_AS(linear_cross_entropy(x, turned, {}, labels, weight),
                       "linear_cross_entropy: x is F32 r[4] x [3] and w is F32 [3, 7]; wanted [V, 3] for w", ShapeError);
  CHECK_THROWS_WITH_AS(linear_cross_entropy(x, whole, {}, labels, weight),
                       "linear_cross_entropy: w is I32 [7, 3]; wanted F32, BF16, F16 or a quantised type", DtypeError);
  CHECK_THROWS_WITH_AS(linear_cross_entropy(x, w, bias, labels, weight), "linear_cross_entropy: bias is F32 [3]; wanted [7]", ShapeError);
  CHECK_THROWS_WITH_AS(linear_cross_entropy(x, w, {}, others, weight),
                       "linear_cross_entropy: x is F32 r[4] x [3] and labels are I32 q[4] x []; wanted one row space", ShapeError);
  CHECK_THROWS_WITH_AS(linear_cross_entropy(x, w, {}, labels, weight, -1), "linear_cross_entropy: z_loss is -1; wanted a number >= 0",
                       ConfigError);
}

}  // namespace linear_cross_entropy_test
