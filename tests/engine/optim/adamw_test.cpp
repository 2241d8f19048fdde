#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "engine/optim/optimizer.h"
#include "tests/support/optimizing.h"

namespace adamw_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr AdamWOptions kOptions = {.beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.1};

std::unique_ptr<Optimizer> make(std::vector<Dims> shapes) { return make_adamw(std::move(shapes), kOptions); }

/// One element by the formulas of torch.optim.AdamW, in double.
struct Reference {
  double p, m = 0, v = 0;
  int t = 0;

  double step(double g, double learning_rate) {
    ++t;
    p *= 1 - learning_rate * kOptions.weight_decay;
    m = kOptions.beta1 * m + (1 - kOptions.beta1) * g;
    v = kOptions.beta2 * v + (1 - kOptions.beta2) * g * g;
    const double m_hat = m / (1 - std::pow(kOptions.beta1, t));
    const double v_hat = v / (1 - std::pow(kOptions.beta2, t));
    return p -= learning_rate * m_hat / (std::sqrt(v_hat) + kOptions.epsilon);
  }
};

}  // namespace

TEST_CASE("adamw: the first step moves by the learning rate, against the gradient's sign") {
  Training training = training_of({3}, {1.0F, 1.0F, 0.0F}, make);
  // m̂ = g and √v̂ = |g|: the step is lr, whatever the size of the gradient; the decay comes first
  const auto values = step_once(training, {100.0F, -0.01F, 0.0F}, 0.01);
  CHECK(static_cast<double>(values[0]) == doctest::Approx(1 - 0.001 - 0.01));
  CHECK(static_cast<double>(values[1]) == doctest::Approx(1 - 0.001 + 0.01).epsilon(1e-4));
  CHECK(values[2] == 0);
}

TEST_CASE("adamw: several steps follow the formulas") {
  const std::vector<float> start = {1.0F, -0.5F, 2.0F};
  const std::vector<std::vector<float>> gradients = {{0.1F, -3.0F, 0.0F}, {0.2F, 1.0F, -0.7F}, {-0.4F, 1.0F, 0.3F}, {0.0F, 0.5F, 0.3F}};
  Training training = training_of({3}, start, make);
  std::vector<Reference> references;
  for (const float x : start) references.push_back({static_cast<double>(x)});
  for (std::size_t t = 0; t < gradients.size(); ++t) {
    const double learning_rate = 0.05 * static_cast<double>(t + 1);
    const auto values = step_once(training, gradients[t], learning_rate, 0.5);
    for (std::size_t i = 0; i < 3; ++i) {
      CAPTURE(t);
      const double expected = references[i].step(0.5 * static_cast<double>(gradients[t][i]), learning_rate);
      CHECK(static_cast<double>(values[i]) == doctest::Approx(expected).epsilon(2e-6));
    }
  }
  CHECK(training.optimizer().steps() == 4);
}

TEST_CASE("adamw: holds two numbers for each element, and nothing else") { CHECK(make({{100}, {7, 3}})->state_bytes() == 121 * 2 * 4); }

TEST_CASE("adamw: a resumed run equals a straight one") { check_resume({{5}, {3, 4}}, make); }

TEST_CASE("adamw: does not depend on the number of threads") { check_threads({{100, 700}, {3}}, make); }

TEST_CASE("adamw: rounds every product and every sum, on whatever instruction set") {
  const std::vector<float> start = random_floats(40, 1);
  const std::vector<float> gradient = random_floats(40, 2);
  Training training = training_of({40}, start, make);
  training.step({gradient}, 0.01, 0.7);
  const auto values = step_once(training, gradient, 0.02, 0.7);
  for (std::size_t i = 0; i < values.size(); ++i) {
    // volatile: nothing is contracted
    volatile float p = start[i], m = 0, v = 0;
    for (int t = 1; t <= 2; ++t) {
      const double learning_rate = 0.01 * t;
      const volatile float g = gradient[i] * 0.7F;
      const volatile float old_m = static_cast<float>(kOptions.beta1) * m, new_m = static_cast<float>(1 - kOptions.beta1) * g;
      m = old_m + new_m;
      const volatile float old_v = static_cast<float>(kOptions.beta2) * v, scaled = static_cast<float>(1 - kOptions.beta2) * g;
      const volatile float new_v = scaled * g;
      v = old_v + new_v;
      const volatile float kept = p * static_cast<float>(1 - learning_rate * kOptions.weight_decay);
      const volatile float up = static_cast<float>(learning_rate / (1 - std::pow(kOptions.beta1, t))) * m;
      const volatile float root = std::sqrt(v) * static_cast<float>(1 / std::sqrt(1 - std::pow(kOptions.beta2, t)));
      const volatile float down = root + static_cast<float>(kOptions.epsilon);
      const volatile float change = up / down;
      p = kept - change;
    }
    CHECK(values[i] == p);
  }
}

TEST_CASE("adamw: a refused update changes nothing") { check_refused(make); }

TEST_CASE("adamw: refuses state that does not fit") {
  check_restore_errors(make, "adamw.first.0");
  check_restore_errors(make, "adamw.second.0");
}

}  // namespace adamw_test
