#include "engine/runtime/update.h"

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "tests/support/optimizing.h"

namespace update_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Two parameters with gradients and one without, under plain descent with weight decay.
struct Three {
  explicit Three(double max_norm = 0) : update(*optimizer, parameters(), loss, max_norm) {}

  [[nodiscard]] std::vector<ParameterUpdate> parameters() const { return {{"a", a, grad_a}, {"still", still, {}}, {"b", b, grad_b}}; }
  [[nodiscard]] std::vector<float> values() const {
    std::vector<float> all;
    for (const auto& tensor : {a, still, b}) {
      const Tensor now = downloaded(tensor);
      all.insert(all.end(), now.values<float>().begin(), now.values<float>().end());
    }
    return all;
  }
  static void set(Tensor& tensor, std::size_t i, float value) {
    tensor.values<float>()[i] = value;
    uploaded(tensor);
  }

  Tensor a = tensor_of({2}, std::vector{1.0F, 2.0F});
  Tensor still = tensor_of({1}, std::vector{7.0F});
  Tensor b = tensor_of({1, 1}, std::vector{3.0F});
  Tensor grad_a = tensor_of({2}, std::vector{3.0F, 0.0F});
  Tensor grad_b = tensor_of({1, 1}, std::vector{-4.0F});
  Tensor loss = tensor_of({}, std::vector{1.5F});
  std::unique_ptr<Optimizer> optimizer = make_sgd({{2}, {1}, {1, 1}}, {});
  Update update;
};

}  // namespace

TEST_CASE("update: reports the loss and the norm over all gradients, and leaves parameters without one alone") {
  Three run;
  const UpdateReport report = run.update.run(0.1);
  CHECK(report.applied);
  CHECK(report.loss == 1.5);
  CHECK(report.gradient_norm == doctest::Approx(5));
  CHECK(run.values() == std::vector<float>{1 - 0.1F * 3, 2, 7, 3 + 0.1F * 4});
  CHECK(run.optimizer->steps() == 1);
  CHECK(run.update.first_bad_gradient().empty());
}

TEST_CASE("update: clips to the norm as torch's clip_grad_norm_") {
  Three run(2.5);
  CHECK(run.update.run(0.1).gradient_norm == doctest::Approx(5));
  const double factor = 2.5 / (5 + 1e-6);
  CHECK(run.values()[0] == doctest::Approx(1 - 0.1 * 3 * factor));
  Three below(10);
  (void)below.update.run(0.1);
  CHECK(below.values()[0] == 1 - 0.1F * 3);
}

TEST_CASE("update: reads the gradients where they lie, anew in each run") {
  Three run;
  (void)run.update.run(0.1);
  Three::set(run.grad_a, 1, 10);
  (void)run.update.run(0.1);
  CHECK(run.values()[1] == 1);
}

TEST_CASE("update: changes nothing if a gradient or the loss is not finite, and names the first parameter") {
  for (const float bad : {kInfinity, -kInfinity, kNan}) {
    Three run;
    const auto before = run.values();
    Three::set(run.grad_b, 0, bad);
    const UpdateReport report = run.update.run(0.1);
    CHECK(!report.applied);
    CHECK(!std::isfinite(report.gradient_norm));
    CHECK(run.values() == before);
    CHECK(run.optimizer->steps() == 0);
    CHECK(run.update.first_bad_gradient() == "b");
    Three::set(run.grad_a, 1, bad);
    CHECK(!run.update.run(0.1).applied);
    CHECK(run.update.first_bad_gradient() == "a");
    // a sound step afterwards is one as if nothing had been
    Three::set(run.grad_a, 1, 0);
    Three::set(run.grad_b, 0, -4);
    CHECK(run.update.run(0.1).applied);
    CHECK(run.values() == std::vector<float>{1 - 0.1F * 3, 2, 7, 3 + 0.1F * 4});

    Three loss;
    Three::set(loss.loss, 0, bad);
    CHECK(!loss.update.run(0.1).applied);
    CHECK(loss.values() == before);
    CHECK(loss.update.first_bad_gradient().empty());
  }
}

TEST_CASE("update: gradients whose squares no float holds are finite") {
  Three run;
  Three::set(run.grad_a, 0, 3e38F);
  CHECK(run.update.run(0).applied);
}

TEST_CASE("update: the norm is summed in blocks in double, whatever the number of threads") {
  const auto many = random_floats(200'001, 3);
  double expected = 0;
  for (const float x : many) expected += static_cast<double>(x) * static_cast<double>(x);
  std::vector<double> norms;
  for (const int threads : {1, 2, 5}) {
    const Threads limit(threads);
    const auto optimizer = make_sgd({{200'001}}, {});
    const std::vector<ParameterUpdate> parameters = {{"p", Tensor(Dtype::f32, {200'001}), tensor_of({200'001}, many)}};
    norms.push_back(Update(*optimizer, parameters, Tensor(Dtype::f64, {}), 0).run(0.1).gradient_norm);
  }
  CHECK(norms[0] == doctest::Approx(std::sqrt(expected)).epsilon(1e-12));
  CHECK(norms[0] == norms[1]);
  CHECK(norms[0] == norms[2]);
}

TEST_CASE("update: refuses parameters that the optimizer was not made for, and a list without gradients") {
  const auto optimizer = make_adamw({{2}}, {});
  const Tensor loss(Dtype::f32, {});
  const Tensor p(Dtype::f32, {2});
  const std::vector<ParameterUpdate> none = {{"p", p, {}}};
  CHECK_THROWS_WITH_AS(Update(*optimizer, none, loss, 0), "update: none of 1 parameters has a gradient", ConfigError);
  const std::vector<ParameterUpdate> two = {{"p", p, p.clone()}, {"q", p.clone(), {}}};
  CHECK_THROWS_WITH_AS(Update(*optimizer, two, loss, 0), "update: 2 parameters were given; the optimizer was made for 1", ConfigError);
  const std::vector<ParameterUpdate> other = {{"p", p, Tensor(Dtype::f32, {3})}};
  CHECK_THROWS_WITH_AS(Update(*optimizer, other, loss, 0), "adamw: a gradient is F32 [3]; wanted F32 [2]", ShapeError);
  const std::vector<ParameterUpdate> one = {{"p", p, p.clone()}};
  CHECK_THROWS_AS(Update(*optimizer, one, Tensor(Dtype::f32, {1}), 0), ShapeError);
  CHECK_THROWS_AS(Update(*optimizer, one, loss, -1), ConfigError);
}

}  // namespace update_test
