#include "engine/optim/schedule.h"

#include <cmath>
#include <numbers>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace optim_schedule_test {

using namespace preamble;

TEST_CASE("learning rate: rises linearly over the warm-up, from zero") {
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::linear, ScheduleKind::cosine, ScheduleKind::inverse_sqrt}) {
    const LearningRate rate{0.4, kind, 4, 20};
    CHECK(rate.at(0) == 0);
    CHECK(rate.at(1) == doctest::Approx(0.1));
    CHECK(rate.at(3) == doctest::Approx(0.3));
    CHECK(rate.at(4) == doctest::Approx(0.4));
  }
}

TEST_CASE("learning rate: without a warm-up the first update has the peak") {
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::linear, ScheduleKind::cosine, ScheduleKind::inverse_sqrt}) {
    CHECK(LearningRate{0.4, kind, 0, 20}.at(0) == doctest::Approx(0.4));
  }
}

TEST_CASE("learning rate: constant stays, also without a known end") {
  CHECK(LearningRate{0.3}.at(1000000) == doctest::Approx(0.3));
  CHECK(LearningRate{0.3, ScheduleKind::constant, 4, 20}.at(100) == doctest::Approx(0.3));
}

TEST_CASE("learning rate: linear reaches zero at the end and stays there") {
  const LearningRate rate{0.4, ScheduleKind::linear, 4, 20};
  CHECK(rate.at(12) == doctest::Approx(0.2));
  CHECK(rate.at(19) == doctest::Approx(0.4 / 16));
  CHECK(rate.at(20) == 0);
  CHECK(rate.at(25) == 0);
}

TEST_CASE("learning rate: cosine is half way down in the middle") {
  const LearningRate rate{0.4, ScheduleKind::cosine, 4, 20};
  CHECK(rate.at(12) == doctest::Approx(0.2));
  CHECK(rate.at(8) == doctest::Approx(0.4 * 0.5 * (1 + std::cos(std::numbers::pi / 4))));
  CHECK(rate.at(20) == doctest::Approx(0));
}

TEST_CASE("learning rate: inverse square root halves when the time has grown fourfold") {
  const LearningRate warm{0.4, ScheduleKind::inverse_sqrt, 100, 0};
  CHECK(warm.at(400) == doctest::Approx(0.2));
  const LearningRate cold{0.4, ScheduleKind::inverse_sqrt, 0, 0};
  CHECK(cold.at(30000) == doctest::Approx(0.2));
}

TEST_CASE("learning rate: noam stays, then falls as the inverse square root of all updates") {
  const LearningRate fresh{0.01, ScheduleKind::noam, 100, 0};
  CHECK(fresh.at(0) == doctest::Approx(0.01));
  CHECK(fresh.at(100) == doctest::Approx(0.01));
  CHECK(fresh.at(400) == doctest::Approx(0.005));
  // T5's own: 1 / sqrt(max(k, 10^4)), and a checkpoint of a million updates
  CHECK(LearningRate{0.01, ScheduleKind::noam, 0, 0}.at(40000) == doctest::Approx(0.005));
  LearningRate adapted{0.01, ScheduleKind::noam, 0, 0};
  adapted.step_offset = 1'000'000;
  CHECK(adapted.at(0) == doctest::Approx(0.001));
  CHECK(adapted.describe() == "noam, peak 0.01, warm-up 0 of 0 steps, offset 1000000");
}

TEST_CASE("learning rate: exponential falls once an epoch") {
  const LearningRate rate{0.4, ScheduleKind::exponential, 2, 0, 10, 0.5};
  CHECK(rate.at(1) == doctest::Approx(0.2));
  CHECK(rate.at(9) == doctest::Approx(0.4));
  CHECK(rate.at(10) == doctest::Approx(0.2));
  CHECK(rate.at(39) == doctest::Approx(0.05));
}

TEST_CASE("schedule_of: takes the names of transformers") {
  CHECK(schedule_of("constant") == ScheduleKind::constant);
  CHECK(schedule_of("constant_with_warmup") == ScheduleKind::constant);
  CHECK(schedule_of("linear") == ScheduleKind::linear);
  CHECK(schedule_of("cosine") == ScheduleKind::cosine);
  CHECK(schedule_of("inverse_sqrt") == ScheduleKind::inverse_sqrt);
  CHECK(schedule_of("exponential") == ScheduleKind::exponential);
  CHECK(schedule_of("noam") == ScheduleKind::noam);
  CHECK_THROWS_WITH_AS(
      (void)schedule_of("polynomial"),
      "learning rate schedule: 'polynomial' was given; wanted constant, constant_with_warmup, linear, cosine, inverse_sqrt, "
      "exponential or noam",
      ConfigError);
}

}  // namespace optim_schedule_test
