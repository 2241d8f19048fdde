#include "engine/ops/split_columns.h"

#include <array>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/columns.h"
#include "engine/ops/elementwise.h"
#include "tests/support/gradient_check.h"
#include "tests/support/graphs.h"
#include "tests/support/values.h"

namespace split_columns_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Parts of `x`, laid side by side again as `order` says; a part may stand there twice or not at all.
GradientCase rearranged(Tensor x, std::vector<std::int64_t> widths, std::vector<std::size_t> order, const std::string& space,
                        std::int64_t groups = 1) {
  GradientCase test{{}, {{"x", x, space}}, [widths = std::move(widths), order = std::move(order), groups](Graph&, const auto& v) {
                      const auto parts = split_columns(v[0], widths, groups);
                      std::vector<Value> chosen;
                      for (const auto i : order) chosen.push_back(parts.at(i));
                      return concat_columns(chosen);
                    }};
  if (!space.empty()) test.spaces.emplace_back(space, Segments(std::array{static_cast<std::int32_t>(x.dim(0))}));
  return test;
}

}  // namespace

TEST_CASE("split_columns: parts are the columns one after another") {
  const Tensor x = doubles({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  for (const auto* space : {"", "r"}) {
    CAPTURE(space);
    check_close(evaluate(rearranged(x, {1, 2, 1}, {2, 0, 1}, space)), {4, 1, 2, 3, 8, 5, 6, 7});
    check_close(evaluate(rearranged(x, {2, 2}, {1}, space)), {3, 4, 7, 8});
  }
}

TEST_CASE("split_columns: gradients lie side by side, with zeros for parts that nobody reads") {
  for (const auto* space : {"", "r"}) {
    CAPTURE(space);
    const auto test = rearranged(random_tensor({3, 7}, 5), {2, 1, 3, 1}, {2, 0, 2}, space);
    check_gradients(test);
    CHECK(kept_values(test, {"x"}).empty());
  }
}

TEST_CASE("split_columns: groups are taken apart one by one") {
  for (const auto* space : {"", "r"}) {
    CAPTURE(space);
    check_close(evaluate(rearranged(doubles({1, 6}, {1, 2, 3, 4, 5, 6}), {1, 2}, {1, 0}, space, 2)), {2, 3, 5, 6, 1, 4});
    check_gradients(rearranged(random_tensor({3, 12}, 5), {2, 1, 1}, {2, 0, 2}, space, 3));
  }
}

TEST_CASE("split_columns: many parts have one gradient node") {
  constexpr std::int64_t kParts = 48;
  Graph graph;
  const Value x = graph.trainable("x", Tensor(Dtype::f32, {2, kParts * 3}));
  Value sum;
  for (const Value part : split_columns(x, std::vector<std::int64_t>(kParts, 3))) sum = sum ? add(sum, part) : part;
  graph.output("loss", dot(sum, sum));
  const auto program = compile(std::move(graph), {.loss = "loss"});
  CHECK(count_ops(program->graph(), "join_columns") == 1);
  CHECK(count_ops(program->graph(), "pad_columns") == 0);
}

TEST_CASE("split_columns: rejects widths that do not add up") {
  Graph graph;
  const Value x = graph.frozen("x", Tensor(Dtype::f32, {2, 4}));
  CHECK_THROWS_WITH_AS(split_columns(x, {1, 2}), "split_columns: x is F32 [2, 4]; parts of 1, 2 columns were asked for", ShapeError);
  CHECK_THROWS_WITH_AS(split_columns(x, {5, -1}), "split_columns: x is F32 [2, 4]; parts of 5, -1 columns were asked for", ShapeError);
  CHECK_THROWS_WITH_AS(split_columns(x, {}), "split_columns: x is F32 [2, 4]; parts of  columns were asked for", ShapeError);
}

}  // namespace split_columns_test
