// the build's baseline instruction set stands for the others, which the tests of ops cover
#define PREAMBLE_ISA math_test

#include "engine/backend/cpu/math.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <doctest/doctest.h>


using namespace preamble;

namespace {

/// Largest relative error of `given` over floats of every magnitude in [low, high], both signs where in range.
template <class Given, class Expected>
double largest_error(const Given& given, const Expected& expected, float low, float high) {
  double largest = 0;
  const auto visit = [&](float x) {
    if (x < low || x > high) return;
    const double truth = expected(static_cast<double>(x));
    const double error = std::abs(static_cast<double>(given(x)) - truth);
    if (std::abs(truth) > 2e-38) largest = std::max(largest, error / std::abs(truth));
  };
  for (std::uint32_t bits = 0; bits < 0x7f800000U; bits += 4099) {
    visit(std::bit_cast<float>(bits));
    visit(-std::bit_cast<float>(bits));
  }
  return largest;
}

}  // namespace

TEST_CASE("math: float approximations are good to about two units in the last place") {
  const float any = std::numeric_limits<float>::max();
  CHECK(largest_error([](float x) { return math_test::exp_of(x); }, [](double x) { return std::exp(x); }, -86.0F, 88.7F) < 1.3e-7);
  CHECK(largest_error([](float x) { return math_test::tanh_of(x); }, [](double x) { return std::tanh(x); }, -any, any) < 1.8e-7);
  CHECK(largest_error([](float x) { return math_test::erf_of(x); }, [](double x) { return std::erf(x); }, -any, any) < 1.8e-7);
  CHECK(largest_error([](float x) { return math_test::sigmoid_of(x); }, [](double x) { return 1 / (1 + std::exp(-x)); }, -86.0F, any) <
        1.8e-7);
}

TEST_CASE("math: limits, overflow, underflow and NaN") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(math_test::exp_of(0.0F) == 1.0F);
  CHECK(math_test::exp_of(infinity) == infinity);
  CHECK(math_test::exp_of(89.0F) == infinity);
  CHECK(math_test::exp_of(-infinity) == 0.0F);
  CHECK(math_test::exp_of(-104.0F) == 0.0F);
  CHECK(math_test::exp_of(-100.0F) == doctest::Approx(3.72e-44).epsilon(0.02));  // denormal
  CHECK(math_test::tanh_of(infinity) == 1.0F);
  CHECK(math_test::tanh_of(-0.0F) == 0.0F);
  CHECK(std::signbit(math_test::tanh_of(-0.0F)));
  CHECK(math_test::erf_of(-infinity) == -1.0F);
  CHECK(math_test::sigmoid_of(-infinity) == 0.0F);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(math_test::exp_of(nan)));
  CHECK(std::isnan(math_test::tanh_of(nan)));
  CHECK(std::isnan(math_test::erf_of(nan)));
  CHECK(std::isnan(math_test::sigmoid_of(nan)));
}
