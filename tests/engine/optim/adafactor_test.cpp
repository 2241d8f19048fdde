#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "engine/optim/optimizer.h"
#include "tests/support/optimizing.h"

namespace adafactor_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr AdafactorOptions kOptions = {
    .decay_rate = 0.8, .step_offset = 10, .clip_threshold = 1.0, .epsilon = 1e-30, .weight_decay = 1e-3, .factored_from = 3};

std::unique_ptr<Optimizer> make(std::vector<Dims> shapes) { return make_adafactor(std::move(shapes), kOptions); }

MakeOptimizer with(const AdafactorOptions& options) {
  return [options](std::vector<Dims> shapes) { return make_adafactor(std::move(shapes), options); };
}

/// The formulas of the header in double: `rows` x `columns`, factored or not.
class Reference {
 public:
  Reference(const std::vector<float>& start, std::size_t rows, std::size_t columns, bool factored)
      : p_(start.begin(), start.end()), rows_(rows), columns_(columns), factored_(factored), v_(start.size()), r_(rows), c_(columns) {}

  const std::vector<double>& step(const std::vector<float>& gradient, double scale, double learning_rate, std::int64_t t) {
    const double d = 1 - std::pow(static_cast<double>(t + kOptions.step_offset) + 1, -kOptions.decay_rate);
    std::vector<double> g(gradient.begin(), gradient.end());
    for (auto& x : g) x *= scale;
    const auto square = [&](std::size_t i) { return g[i] * g[i] + kOptions.epsilon; };
    std::vector<double> y(g.size());
    if (factored_) {
      update_factors(square, d);
      double mean = 0;
      for (const double r : r_) mean += r / static_cast<double>(rows_);
      for (std::size_t i = 0; i < g.size(); ++i) y[i] = g[i] / std::sqrt(r_[i / columns_] * c_[i % columns_] / mean);
    } else {
      for (std::size_t i = 0; i < g.size(); ++i) {
        v_[i] = d * v_[i] + (1 - d) * square(i);
        y[i] = g[i] / std::sqrt(v_[i]);
      }
    }
    double squares = 0;
    for (const double x : y) squares += x * x;
    const double divisor = std::max(1.0, std::sqrt(squares / static_cast<double>(y.size())) / kOptions.clip_threshold);
    for (std::size_t i = 0; i < g.size(); ++i) p_[i] = (1 - kOptions.weight_decay) * p_[i] - learning_rate * y[i] / divisor;
    return p_;
  }

 private:
  template <class Square>
  void update_factors(const Square& square, double d) {
    for (std::size_t r = 0; r < rows_; ++r) {
      double mean = 0;
      for (std::size_t c = 0; c < columns_; ++c) mean += square(r * columns_ + c) / static_cast<double>(columns_);
      r_[r] = d * r_[r] + (1 - d) * mean;
    }
    for (std::size_t c = 0; c < columns_; ++c) {
      double mean = 0;
      for (std::size_t r = 0; r < rows_; ++r) mean += square(r * columns_ + c) / static_cast<double>(rows_);
      c_[c] = d * c_[c] + (1 - d) * mean;
    }
  }

  std::vector<double> p_;
  std::size_t rows_, columns_;
  bool factored_;
  std::vector<double> v_, r_, c_;
};

void check_against_reference(std::int64_t rows, std::int64_t columns, bool factored) {
  const auto start = random_floats(rows * columns, 1);
  Training training = training_of({rows, columns}, start, make);
  Reference reference(start, static_cast<std::size_t>(rows), static_cast<std::size_t>(columns), factored);
  for (std::int64_t t = 0; t < 5; ++t) {
    const auto gradient = random_floats(rows * columns, static_cast<std::uint64_t>(20 + t));
    const auto values = step_once(training, gradient, 0.3, 0.25);
    const auto& expected = reference.step(gradient, 0.25, 0.3, t);
    for (std::size_t i = 0; i < values.size(); ++i) {
      CAPTURE(t);
      CHECK(std::abs(static_cast<double>(values[i]) - expected[i]) < 2e-5);
    }
  }
}

}  // namespace

TEST_CASE("adafactor: follows the formulas, with a factor for rows and one for columns") { check_against_reference(4, 5, true); }

TEST_CASE("adafactor: follows the formulas below the size from which it factors") { check_against_reference(2, 5, false); }

TEST_CASE("adafactor: holds rows and columns where both dimensions are large, all elements elsewhere") {
  const AdafactorOptions options;
  const auto bytes = [&](Dims dims) { return make_adafactor({std::move(dims)}, options)->state_bytes(); };
  CHECK(bytes({128, 200}) == (128 + 200) * 4);
  CHECK(bytes({127, 200}) == 127 * 200 * 4);
  CHECK(bytes({200, 127}) == 127 * 200 * 4);
  CHECK(bytes({512}) == 512 * 4);
  CHECK(bytes({2, 128, 128}) == 2 * 128 * 128 * 4);
}

TEST_CASE("adafactor: the first step at offset 0 forgets nothing but itself") {
  // d = 0: y = g / |g|, so the step is the learning rate
  Training training = training_of({2}, {1.0F, 1.0F}, with({.step_offset = 0}));
  const auto values = step_once(training, {1e-3F, -50.0F}, 0.3);
  CHECK(static_cast<double>(values[0]) == doctest::Approx(0.7));
  CHECK(static_cast<double>(values[1]) == doctest::Approx(1.3));
}

TEST_CASE("adafactor: clips the root mean square of the update, not the gradient") {
  // far into training v is almost zero after one step, so y is huge and the clip makes its mean square 1
  Training training = training_of({2}, {0.0F, 0.0F}, with({}));
  const auto values = step_once(training, {1.0F, 1e-3F}, 0.3);
  CHECK(static_cast<double>(values[0]) == doctest::Approx(-0.3));
  CHECK(static_cast<double>(values[1]) == doctest::Approx(-0.3));
  CHECK(std::sqrt((values[0] * values[0] + values[1] * values[1]) / 2) == doctest::Approx(0.3F));
}

TEST_CASE("adafactor: parameter scaling multiplies the learning rate by the parameter's root mean square") {
  const AdafactorOptions options = {.step_offset = 0, .factored_from = 2, .scale_parameter = true};
  // the first update is the learning rate times RMS(p) = 5, in the gradient's direction
  Training training = training_of({2}, {1.0F, 7.0F}, with(options));
  const auto values = step_once(training, {1e-3F, -50.0F}, 0.1);
  CHECK(static_cast<double>(values[0]) == doctest::Approx(0.5));
  CHECK(static_cast<double>(values[1]) == doctest::Approx(7.5));
  // at least 10^-3, also where it is factored
  Training zeros = training_of({2, 2}, {0, 0, 0, 0}, with(options));
  for (const float x : step_once(zeros, {1, 1, 1, 1}, 0.1)) CHECK(static_cast<double>(x) == doctest::Approx(-1e-4));
  check_threads({{130, 300}, {40000}}, with(options));
  CHECK(make_adafactor({{2}}, options)->describe().ends_with(", parameter scaling"));
}

TEST_CASE("adafactor: a zero gradient moves nothing but by the decay") {
  Training training = training_of({4, 4}, std::vector<float>(16, 1.0F), make);
  for (const float x : step_once(training, std::vector<float>(16, 0.0F), 0.3)) CHECK(x == doctest::Approx(1 - 1e-3));
}

TEST_CASE("adafactor: a row and a column without gradients beside large ones stay, whatever the type holds") {
  // the quotient of the row's state and the mean is far below the smallest float
  for (const double epsilon : {1e-30, 0.0}) {
    CAPTURE(epsilon);
    const std::vector<float> gradient = {0, 0, 0, 0, 1e12F, -2e12F, 0, 3e12F, 4e12F};
    Training training =
        training_of({3, 3}, std::vector<float>(9, 1.0F), with({.step_offset = 1'100'000, .epsilon = epsilon, .factored_from = 3}));
    for (int step = 0; step < 3; ++step) {
      const auto values = step_once(training, gradient, 0.1);
      for (std::size_t i = 0; i < values.size(); ++i) {
        CAPTURE(i);
        CHECK(std::isfinite(values[i]));
        CHECK((values[i] == 1) == (gradient[i] == 0));
      }
    }
  }
}

TEST_CASE("adafactor: a resumed run equals a straight one") { check_resume({{2}, {4, 5}, {2, 7}}, make); }

TEST_CASE("adafactor: does not depend on the number of threads") { check_threads({{130, 300}, {40000}}, make); }

TEST_CASE("adafactor: a refused update changes nothing") {
  check_refused(make);
  check_refused(with({}));
}

TEST_CASE("adafactor: refuses state that does not fit") { check_restore_errors(make, "adafactor.full.0"); }

}  // namespace adafactor_test
