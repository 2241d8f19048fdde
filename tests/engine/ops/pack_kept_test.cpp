#include "engine/ops/pack_kept.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/gradient_check.h"
#include "tests/support/values.h"

namespace pack_kept_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Rows that are packed and unpacked.
GradientCase there_and_back(const Tensor& x, KeptForm form) {
  return {{{"r", Segments(std::array{static_cast<std::int32_t>(x.dims()[0])})}},
          {{"x", x, "r"}},
          [form](Graph&, const std::vector<Value>& v) { return unpack_kept(pack_kept(v[0], form), form); }};
}

}  // namespace

TEST_CASE("pack_kept: bf16 keeps eight bits of each number") {
  const Tensor x = doubles({2, 3}, {1, -2.5, 1.00390625, 3.0e38, -1.0e-30, 0});
  // 1 + 1/256 lies between two numbers and goes to the even one
  const auto y = numbers(evaluate(there_and_back(x, KeptForm::bf16)));
  CHECK(y[0] == 1);
  CHECK(y[1] == -2.5);
  CHECK(y[2] == 1);
  CHECK(y[3] == doctest::Approx(3.0e38).epsilon(1.0 / 256));
  CHECK(y[4] == doctest::Approx(-1.0e-30).epsilon(1.0 / 256));
  CHECK(y[5] == 0);
}

TEST_CASE("pack_kept: int8 keeps each row to half a step of its own scale") {
  const Tensor x = doubles({3, 4}, {127, -126.6, 0.4, 2, 0.01, -0.02, 0.005, 0, 0, 0, 0, 0});
  const auto y = numbers(evaluate(there_and_back(x, KeptForm::int8)));
  check_close(std::vector<double>(y.begin(), y.begin() + 4), {127, -127, 0, 2}, 1e-6);
  for (std::size_t i = 4; i < 8; ++i) CHECK(std::abs(y[i] - numbers(x)[i]) <= 0.5 * 0.02 / 127 + 1e-9);
  for (std::size_t i = 8; i < 12; ++i) CHECK(y[i] == 0);
}

TEST_CASE("pack_kept: a row with an infinity is no number afterwards, and the others are what they were") {
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor x = doubles({2, 2}, {infinity, 1, 3, -3});
  const auto y = numbers(evaluate(there_and_back(x, KeptForm::int8)));
  CHECK(std::isnan(y[0]));
  CHECK(std::isnan(y[1]));
  check_close(std::vector<double>(y.begin() + 2, y.end()), {3, -3}, 1e-6);
  CHECK(std::isinf(numbers(evaluate(there_and_back(x, KeptForm::bf16)))[0]));
}

TEST_CASE("pack_kept: bytes of a row, and operands that are refused") {
  CHECK(packed_width(KeptForm::bf16, 10) == 20);
  CHECK(packed_width(KeptForm::int8, 10) == 14);
  Graph graph;
  const RowSpaceId rows = graph.rows("r", 4, 1);
  const Value x = graph.input("x", {Dtype::f32, rows, {10}}), alone = graph.input("alone", {Dtype::f32, kNoRows, {10}});
  CHECK(graph.bytes(pack_kept(x, KeptForm::bf16).type()) == 4 * 20);
  CHECK(unpack_kept(pack_kept(x, KeptForm::int8), KeptForm::int8).type() == x.type());
  CHECK_THROWS_AS((void)pack_kept(alone, KeptForm::bf16), ShapeError);
  CHECK_THROWS_AS((void)pack_kept(x, KeptForm::exact), ShapeError);
  CHECK_THROWS_AS((void)unpack_kept(x, KeptForm::bf16), ShapeError);
}

}  // namespace pack_kept_test
