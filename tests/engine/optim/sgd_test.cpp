#include <vector>

#include <doctest/doctest.h>

#include "engine/optim/optimizer.h"
#include "tests/support/optimizing.h"

namespace sgd_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

MakeOptimizer sgd(double momentum, double decay) {
  return [=](std::vector<Dims> shapes) { return make_sgd(std::move(shapes), {.momentum = momentum, .weight_decay = decay}); };
}

}  // namespace

TEST_CASE("sgd: p -= lr g") {
  Training training = training_of({2}, {1.0F, -2.0F}, sgd(0, 0));
  const auto values = step_once(training, {0.5F, 4.0F}, 0.1);
  CHECK(values[0] == doctest::Approx(1 - 0.1 * 0.5));
  CHECK(values[1] == doctest::Approx(-2 - 0.1 * 4));
}

TEST_CASE("sgd: momentum sums scaled gradients, weight decay joins them") {
  Training training = training_of({1}, {1.0F}, sgd(0.9, 0.01));
  (void)step_once(training, {2.0F}, 0.1, 0.5);
  const double u1 = 2 * 0.5 + 0.01 * 1;
  const double p1 = 1 - 0.1 * u1;
  const auto values = step_once(training, {-3.0F}, 0.2, 0.5);
  const double u2 = 0.9 * u1 - 3 * 0.5 + 0.01 * p1;
  CHECK(static_cast<double>(values[0]) == doctest::Approx(p1 - 0.2 * u2));
}

TEST_CASE("sgd: holds state for momentum alone") {
  CHECK(sgd(0, 0.1)({{100}, {7, 3}})->state_bytes() == 0);
  CHECK(sgd(0.9, 0.1)({{100}, {7, 3}})->state_bytes() == 121 * 4);
}

TEST_CASE("sgd: a resumed run equals a straight one") {
  check_resume({{5}, {3, 4}}, sgd(0.9, 0.01));
  check_resume({{5}}, sgd(0, 0));
}

TEST_CASE("sgd: does not depend on the number of threads") { check_threads({{100, 700}}, sgd(0.9, 0.01)); }

TEST_CASE("sgd: a refused update changes nothing") {
  check_refused(sgd(0.9, 0.5));
  check_refused(sgd(0, 0.5));
}

TEST_CASE("sgd: refuses state that does not fit") { check_restore_errors(sgd(0.9, 0), "sgd.momentum.0"); }

}  // namespace sgd_test
