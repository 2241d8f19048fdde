#include "engine/ops/cross_entropy.h"

#include <array>
#include <cmath>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace cross_entropy_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

GradientCase of(Tensor logits, const std::vector<std::int32_t>& labels, double weight, double z_loss, bool nll = false) {
  const auto rows = static_cast<std::int32_t>(labels.size());
  GradientCase test{{{"r", Segments(std::array{rows})}},
                    {{"logits", logits, "r"}, {"labels", indices(labels), "r"}, {"weight", doubles({}, {weight})}},
                    [=](Graph&, const auto& v) {
                      const Value loss = cross_entropy(v[0], v[1], v[2], z_loss);
                      return nll ? nll_of(loss) : loss;
                    }};
  test.operands[2].differentiable = false;
  return test;
}

}  // namespace

TEST_CASE("cross_entropy: two rows of two logits") {
  // softmax (1/4, 3/4) with lse = log 4, and (1/2, 1/2) with lse = log 2
  const Tensor logits = doubles({2, 2}, {0, std::log(3.0), 0, 0});
  check_close(evaluate(of(logits, {0, 1}, 0.5, 0)), {0.5 * (std::log(4.0) + std::log(2.0))});
  check_close(evaluate(of(logits, {1, 1}, 0.5, 0, true)), {std::log(4.0 / 3.0), std::log(2.0)});
  const double square = std::log(4.0) * std::log(4.0) + std::log(2.0) * std::log(2.0);
  check_close(evaluate(of(logits, {0, 1}, 2, 0.1)), {2 * (std::log(8.0) + 0.1 * square)});
  check_close(evaluate(of(logits, {0, 1}, 2, 0.1, true)), {std::log(4.0), std::log(2.0)});
}

TEST_CASE("cross_entropy: gradients, with and without the z loss") {
  check_gradients(of(random_tensor({4, 5}, 1), {0, 4, 2, 2}, 0.25, 0));
  check_gradients(of(random_tensor({4, 5}, 1), {0, 4, 2, 2}, -1.5, 0.05));
  check_gradients(of(random_tensor({1, 1}, 1), {0}, 1, 0.05));
}

TEST_CASE("cross_entropy: each row may have a weight of its own") {
  const Tensor logits = doubles({2, 2}, {0, std::log(3.0), 0, 0});
  GradientCase rows = of(logits, {0, 1}, 1, 0.1);
  rows.operands[2] = {"weight", doubles({2}, {3, 0.5}), "r", false};
  const double first = std::log(4.0), second = std::log(2.0);
  check_close(evaluate(rows), {3 * (first + 0.1 * first * first) + 0.5 * (second + 0.1 * second * second)});
  GradientCase more = of(random_tensor({4, 5}, 1), {0, 4, 2, 2}, 1, 0.05);
  more.operands[2] = {"weight", doubles({4}, {0.25, -1.5, 0, 2}), "r", false};
  check_gradients(more);
}

TEST_CASE("cross_entropy: keeps logits") {
  CHECK(kept_values(of(random_tensor({4, 5}, 1), {0, 4, 2, 2}, 0.25, 0), {"logits"}) == std::vector<std::string>{"logits", "weight"});
}

TEST_CASE("cross_entropy: no rows give a loss of 0") {
  const GradientCase none = of(random_tensor({0, 5}, 1), {}, 1, 0);
  check_close(evaluate(none), {0});
  check_gradients(none);
}

TEST_CASE("cross_entropy: large logits neither overflow nor lose the small losses") {
  for (const Dtype real : {Dtype::f32, Dtype::f64}) {
    const Tensor logits = doubles({2, 3}, {1e4, 0, -1e4, 1000, 999, -1e30});
    check_close(evaluate(of(logits, {0, 1}, 1, 0, true), real), {0, 1 + std::log1p(std::exp(-1.0))}, 1e-7);
  }
}

TEST_CASE("cross_entropy: floats of a large vocabulary are exact to their own precision") {
  const Tensor logits = random_tensor({3, 50000}, 3).to(Dtype::f32).to(Dtype::f64);
  const auto expected = numbers(evaluate(of(logits, {0, 49999, 1234}, 1, 0, true)));
  check_close(numbers(evaluate(of(logits, {0, 49999, 1234}, 1, 0, true), Dtype::f32)), expected, 1e-7);
}

TEST_CASE("cross_entropy: only the loss and the logits have gradients") {
  Graph graph(Dtype::f64);
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value logits = graph.trainable("logits", random_tensor({4, 3}, 1), rows);
  const Value labels = graph.input("labels", {Dtype::i32, rows, {}});
  const Value weight = graph.trainable("weight", random_tensor({}, 1));
  graph.output("loss", cross_entropy(logits, labels, weight));
  CHECK_THROWS_WITH_AS((void)compile(std::move(graph), {.loss = "loss"}),
                       "cross_entropy: a gradient was asked for 'labels' or 'weight'; these have none", UnsupportedError);
}

TEST_CASE("cross_entropy: rejects labels of other rows and weights that are no scalars") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value logits = graph.input("logits", {Dtype::f32, rows, {3}});
  const Value labels = graph.input("labels", {Dtype::i32, rows, {}});
  const Value others = graph.input("others", {Dtype::i32, graph.rows("q", 4, 1), {}});
  const Value weight = graph.input("weight", {Dtype::f32, kNoRows, {}});
  CHECK_THROWS_WITH_AS(cross_entropy(logits, others, weight),
                       "cross_entropy: logits are F32 r[4] x [3] and labels are I32 q[4] x []; wanted one row space", ShapeError);
  CHECK_THROWS_WITH_AS(cross_entropy(logits, logits, weight), "cross_entropy: labels is F32 r[4] x [3]; wanted one number a row",
                       ShapeError);
  CHECK_THROWS_WITH_AS(cross_entropy(logits, labels, logits), "cross_entropy: weight is F32 r[4] x [3]; wanted a number, or one for each row of the logits", ShapeError);
  CHECK_THROWS_WITH_AS(cross_entropy(logits, labels, weight, -1), "cross_entropy: z_loss is -1; wanted a number >= 0", ConfigError);
}

}  // namespace cross_entropy_test
