#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "engine/optim/optimizer.h"
#include "tests/support/optimizing.h"

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
  Tensor p = tensor_of({3}, std::vector{1.0F, 1.0F, 0.0F});
  const auto optimizer = make({{3}});
  // m̂ = g and √v̂ = |g|: the step is lr, whatever the size of the gradient; the decay comes first
  const auto values = step_once(*optimizer, p, {100.0F, -0.01F, 0.0F}, 0.01);
  CHECK(static_cast<double>(values[0]) == doctest::Approx(1 - 0.001 - 0.01));
  CHECK(static_cast<double>(values[1]) == doctest::Approx(1 - 0.001 + 0.01).epsilon(1e-4));
  CHECK(values[2] == 0);
}

TEST_CASE("adamw: several steps follow the formulas") {
  const std::vector<float> start = {1.0F, -0.5F, 2.0F};
  const std::vector<std::vector<float>> gradients = {{0.1F, -3.0F, 0.0F}, {0.2F, 1.0F, -0.7F}, {-0.4F, 1.0F, 0.3F}, {0.0F, 0.5F, 0.3F}};
  Tensor p = tensor_of({3}, start);
  const auto optimizer = make({{3}});
  std::vector<Reference> references;
  for (const float x : start) references.push_back({static_cast<double>(x)});
  for (std::size_t t = 0; t < gradients.size(); ++t) {
    const double learning_rate = 0.05 * static_cast<double>(t + 1);
    const auto values = step_once(*optimizer, p, gradients[t], learning_rate, 0.5);
    for (std::size_t i = 0; i < 3; ++i) {
      CAPTURE(t);
      const double expected = references[i].step(0.5 * static_cast<double>(gradients[t][i]), learning_rate);
      CHECK(static_cast<double>(values[i]) == doctest::Approx(expected).epsilon(2e-6));
    }
  }
  CHECK(optimizer->steps() == 4);
}

TEST_CASE("adamw: holds two numbers for each element, and nothing else") { CHECK(make({{100}, {7, 3}})->state_bytes() == 121 * 2 * 4); }

TEST_CASE("adamw: a resumed run equals a straight one") { check_resume({{5}, {3, 4}}, make); }

TEST_CASE("adamw: does not depend on the number of threads") { check_threads({{100, 700}, {3}}, make); }

TEST_CASE("adamw: a parameter without a gradient stays") { check_without_gradient(make); }

TEST_CASE("adamw: refuses state that does not fit") {
  check_restore_errors(make, "adamw.first.0");
  check_restore_errors(make, "adamw.second.0");
}

TEST_CASE("gradient_norm: is taken over all gradients, and those that are absent count nothing") {
  const std::vector<float> a = {3.0F, 0.0F};
  const std::vector<float> b = {-4.0F};
  const std::vector<ParameterUpdate> updates = {{Tensor(Dtype::f32, {2}), a}, {Tensor(Dtype::f32, {1}), b}, {Tensor(Dtype::f32, {9}), {}}};
  CHECK(gradient_norm(updates) == doctest::Approx(5));
  CHECK(gradient_norm({}) == 0);
  const std::vector<float> many(200000, 1e-3F);
  const std::vector<ParameterUpdate> large = {{Tensor(Dtype::f32, {200000}), many}};
  CHECK(gradient_norm(large) == doctest::Approx(1e-3 * std::sqrt(200000.0)));
}

TEST_CASE("clip_factor: is torch's clip_grad_norm_") {
  CHECK(clip_factor(5, 1) == doctest::Approx(1 / (5 + 1e-6)));
  CHECK(clip_factor(0.5, 1) == 1);
  CHECK(clip_factor(0, 1) == 1);
  CHECK(clip_factor(5, 0) == 1);
}
