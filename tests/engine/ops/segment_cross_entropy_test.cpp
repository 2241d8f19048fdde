#include "engine/ops/segment_cross_entropy.h"

#include <array>
#include <cmath>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace segment_cross_entropy_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int32_t kNone = -100;

/// `labels`: one for each segment and column.
GradientCase of(const Tensor& logits, std::span<const std::int32_t> lengths, const std::vector<std::int32_t>& labels, double weight = 1) {
  // `evaluate` gives the row space a spare segment
  std::vector<std::int32_t> all = labels;
  const auto columns = static_cast<std::size_t>(logits.dim(1));
  all.resize((lengths.size() + 1) * columns, 0);
  GradientCase test{{{"r", Segments(lengths)}},
                    {{"logits", logits, "r"},
                     {"labels", tensor_of({static_cast<std::int64_t>(lengths.size() + 1), logits.dim(1)}, all)},
                     {"weight", doubles({}, {weight})}},
                    [](Graph&, const auto& v) { return segment_cross_entropy(v[0], v[1], v[2]); }};
  test.operands[2].differentiable = false;
  return test;
}

}  // namespace

TEST_CASE("segment_cross_entropy: two segments, two columns") {
  // column 0: softmax (1/4, 3/4) and (1); column 1: (1/2, 1/2) and (1)
  const Tensor logits = doubles({3, 2}, {0, 7, std::log(3.0), 7, 5, -2});
  check_close(evaluate(of(logits, std::array{2, 1}, {0, 1, 0, 0}, 0.5)), {0.5 * (std::log(4.0) + std::log(2.0))});
  check_close(evaluate(of(logits, std::array{2, 1}, {1, kNone, 0, kNone})), {std::log(4.0 / 3.0)});
}

TEST_CASE("segment_cross_entropy: gradients, with segments and columns that have no label") {
  const Tensor logits = random_tensor({9, 2}, 1);
  check_gradients(of(logits, std::array{4, 1, 4}, {3, 0, 0, 0, 2, 2}, 0.25));
  check_gradients(of(logits, std::array{4, 1, 4}, {3, kNone, kNone, kNone, 1, 2}, -1.5));
  check_gradients(of(logits, std::array{5, 0, 4}, {3, 0, kNone, kNone, 2, 2}));
  check_gradients(of(random_tensor({20, 1}, 2), std::array{1, 2, 3, 1, 2, 3, 1, 2, 2, 3}, {0, 1, 2, 0, 1, 2, 0, 1, 1, 0}));
}

TEST_CASE("segment_cross_entropy: keeps logits") {
  CHECK(kept_values(of(random_tensor({3, 2}, 1), std::array{3}, {0, 2}), {"logits"}) == std::vector<std::string>{"logits", "weight"});
}

TEST_CASE("segment_cross_entropy: no rows give a loss of 0") {
  const GradientCase none = of(random_tensor({0, 2}, 1), std::array{0}, {0, 0});
  check_close(evaluate(none), {0});
}

TEST_CASE("segment_cross_entropy: large logits do not overflow") {
  for (const Dtype real : {Dtype::f32, Dtype::f64}) {
    check_close(numbers(evaluate(of(doubles({2, 1}, {1e4, 1e4 - 1}), std::array{2}, {1}), real)), {1 + std::log1p(std::exp(-1.0))}, 1e-7);
  }
}

TEST_CASE("segment_cross_entropy: rejects labels of another shape or type") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 2);
  const Value logits = graph.input("logits", {Dtype::f32, rows, {2}});
  const Value labels = graph.input("labels", {Dtype::i32, kNoRows, {2, 2}});
  const Value few = graph.input("few", {Dtype::i32, kNoRows, {1, 2}});
  const Value reals = graph.input("reals", {Dtype::f32, kNoRows, {2, 2}});
  const Value weight = graph.input("weight", {Dtype::f32, kNoRows, {}});
  CHECK_NOTHROW((void)segment_cross_entropy(logits, labels, weight));
  CHECK_THROWS_WITH_AS(segment_cross_entropy(logits, few, weight), "segment_cross_entropy: labels is I32 [1, 2]; wanted [2, 2]", ShapeError);
  CHECK_THROWS_WITH_AS(segment_cross_entropy(logits, reals, weight), "segment_cross_entropy: labels is F32 [2, 2]; wanted I32", DtypeError);
  CHECK_THROWS_WITH_AS(segment_cross_entropy(logits, labels, logits), "segment_cross_entropy: weight is F32 r[4] x [2]; wanted []", ShapeError);
}

}  // namespace segment_cross_entropy_test
