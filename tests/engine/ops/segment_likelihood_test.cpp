#include "engine/ops/segment_likelihood.h"

#include <array>
#include <cmath>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace segment_likelihood_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

GradientCase of(const Tensor& logits, std::span<const std::int32_t> lengths, const std::vector<std::int32_t>& labels) {
  const std::array all{static_cast<std::int32_t>(lengths.size())};
  return {{{"r", Segments(lengths)}, {"s", Segments(all)}},
          {{"logits", logits, "r"}, {"labels", tensor_of({static_cast<std::int64_t>(labels.size())}, labels), "r"}},
          [](Graph& graph, const auto& v) { return segment_likelihood(v[0], v[1], graph.rows("s")); }};
}

}  // namespace

TEST_CASE("segment_likelihood: sums of log-probabilities, of no rows 0") {
  // softmax (1/4, 3/4), (1/2, 1/2), (3/4, 1/4)
  const Tensor logits = doubles({3, 2}, {0, std::log(3.0), 7, 7, std::log(3.0), 0});
  check_close(evaluate(of(logits, std::array{2, 0, 1}, {1, 0, 1})), {std::log(0.375), 0, std::log(0.25)});
}

TEST_CASE("segment_likelihood: gradients") {
  check_gradients(of(random_tensor({7, 5}, 1), std::array{3, 0, 1, 3}, {0, 4, 2, 2, 1, 3, 0}));
  check_gradients(of(random_tensor({1, 3}, 2), std::array{1}, {2}));
}

TEST_CASE("segment_likelihood: keeps logits") {
  const std::vector<std::string> kept = kept_values(of(random_tensor({3, 2}, 1), std::array{3}, {0, 1, 1}), {"logits"});
  CHECK(kept == std::vector<std::string>{"logits"});
}

TEST_CASE("segment_likelihood: rejects operands that do not fit") {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 8, 2);
  const RowSpaceId two = graph.rows("two", 2, 1);
  const RowSpaceId one = graph.rows("one", 1, 1);
  const Value logits = graph.input("logits", {Dtype::f32, rows, {5}});
  const Value labels = graph.input("labels", {Dtype::i32, rows, {}});
  const Value others = graph.input("others", {Dtype::i32, two, {}});
  CHECK(segment_likelihood(logits, labels, two).type() == Type{Dtype::f32, two, {1}});
  CHECK_THROWS_WITH_AS(segment_likelihood(logits, labels, one),
                       "segment_likelihood: 'one' holds 1 rows; wanted one for each of the 2 segments of logits", ShapeError);
  CHECK_THROWS_WITH_AS(segment_likelihood(logits, others, two),
                       "segment_likelihood: labels is I32 two[2] x []; wanted the row space of logits, F32 rows[8] x [5]", ShapeError);
}

}  // namespace segment_likelihood_test
