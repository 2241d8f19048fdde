#include "engine/ops/head_linear.h"

#include <array>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace head_linear_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int64_t kHeads = 3, kNarrow = 2, kWide = 5;

/// w is frozen always: it has no gradient.
GradientCase of(HeadLinear::Direction direction, std::int32_t rows) {
  const bool expand = direction == HeadLinear::Direction::expand;
  return {{{"r", Segments(std::array{rows})}},
          {{"x", random_tensor({rows, kHeads * (expand ? kNarrow : kWide)}, 1), "r"}, {"w", random_tensor({kHeads * kNarrow, kWide}, 2), "", false}},
          [expand](Graph&, const auto& v) { return expand ? head_expand(v[0], v[1], kHeads) : head_reduce(v[0], v[1], kHeads); }};
}

std::vector<double> by_hand(const GradientCase& test, HeadLinear::Direction direction) {
  const bool expand = direction == HeadLinear::Direction::expand;
  const auto x = numbers(test.operands[0].values), w = numbers(test.operands[1].values);
  const std::int64_t in = expand ? kNarrow : kWide, out = expand ? kWide : kNarrow;
  std::vector<double> y;
  for (std::int64_t r = 0; r < test.operands[0].values.dim(0); ++r) {
    for (std::int64_t h = 0; h < kHeads; ++h) {
      for (std::int64_t o = 0; o < out; ++o) {
        double sum = 0;
        for (std::int64_t i = 0; i < in; ++i) {
          const std::int64_t weight = expand ? (h * kNarrow + i) * kWide + o : (h * kNarrow + o) * kWide + i;
          sum += x[static_cast<std::size_t>((r * kHeads + h) * in + i)] * w[static_cast<std::size_t>(weight)];
        }
        y.push_back(sum);
      }
    }
  }
  return y;
}

}  // namespace

TEST_CASE("head_linear: each head has a matrix of its own, in both directions") {
  for (const auto direction : {HeadLinear::Direction::expand, HeadLinear::Direction::reduce}) {
    for (const std::int32_t rows : {0, 1, 4}) {
      const GradientCase test = of(direction, rows);
      check_close(evaluate(test), by_hand(test, direction));
      check_close(evaluate(test, Dtype::f32), by_hand(test, direction), 1e-6);
    }
  }
}

TEST_CASE("head_linear: the gradient is the other direction, and keeps nothing but w") {
  for (const auto direction : {HeadLinear::Direction::expand, HeadLinear::Direction::reduce}) {
    check_gradients(of(direction, 3));
    CHECK(kept_values(of(direction, 3), {"x"}) == std::vector<std::string>{"w"});
  }
}

TEST_CASE("head_linear: rejects a trained w and widths that do not fit") {
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value x = graph.input("x", {Dtype::f32, rows, {6}});
  const Value w = graph.frozen("w", Tensor(Dtype::f32, {6, 5}));
  CHECK_THROWS_WITH_AS(head_reduce(x, w, 3), "head_linear: x is F32 r[4] x [6] and w is F32 [6, 5]; wanted 15 columns of x", ShapeError);
  CHECK_THROWS_WITH_AS(head_expand(x, w, 4), "head_linear: w is F32 [6, 5]; wanted [4·d, D]", ShapeError);
}

}  // namespace head_linear_test
