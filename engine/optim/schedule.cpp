#include "engine/optim/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// Updates until the square root sets in, where there is no warm-up.
constexpr double kFlatSteps = 10'000;

}  // namespace

double LearningRate::at(std::int64_t step) const noexcept {
  const auto k = static_cast<double>(step);
  const auto warmup = static_cast<double>(warmup_steps);
  if (kind == ScheduleKind::noam) {
    const double flat = warmup_steps > 0 ? warmup : kFlatSteps;
    return peak * std::sqrt(flat / std::max(k + static_cast<double>(step_offset), flat));
  }
  if (step < warmup_steps) return peak * k / warmup;
  const double rest = std::max(1.0, static_cast<double>(total_steps) - warmup);
  const double left = std::clamp((static_cast<double>(total_steps) - k) / rest, 0.0, 1.0);
  switch (kind) {
    case ScheduleKind::constant: return peak;
    case ScheduleKind::linear: return peak * left;
    case ScheduleKind::cosine: return peak * 0.5 * (1 + std::cos(std::numbers::pi * (1 - left)));
    case ScheduleKind::inverse_sqrt: {
      const double scale = warmup_steps > 0 ? warmup : kFlatSteps;
      return peak * std::sqrt(scale / (k - warmup + scale));
    }
    case ScheduleKind::exponential: return peak * std::pow(gamma, static_cast<double>(step / std::max<std::int64_t>(1, steps_per_epoch)));
    case ScheduleKind::noam: break;  // above: it has no warm-up
  }
  return peak;
}

std::string LearningRate::describe() const {
  constexpr std::array<std::string_view, 6> kNames = {"constant", "linear", "cosine", "inverse_sqrt", "exponential", "noam"};
  std::string text =
      fmt::format("{}, peak {}, warm-up {} of {} steps", kNames.at(static_cast<std::size_t>(kind)), peak, warmup_steps, total_steps);
  if (kind == ScheduleKind::exponential) text += fmt::format(", gamma {} every {} steps", gamma, steps_per_epoch);
  if (kind == ScheduleKind::noam && step_offset > 0) text += fmt::format(", offset {}", step_offset);
  return text;
}

ScheduleKind schedule_of(std::string_view name) {
  if (name == "constant" || name == "constant_with_warmup") return ScheduleKind::constant;
  if (name == "linear") return ScheduleKind::linear;
  if (name == "cosine") return ScheduleKind::cosine;
  if (name == "inverse_sqrt") return ScheduleKind::inverse_sqrt;
  if (name == "exponential") return ScheduleKind::exponential;
  if (name == "noam") return ScheduleKind::noam;
  raise<ConfigError>(
      "learning rate schedule: '{}' was given; wanted constant, constant_with_warmup, linear, cosine, inverse_sqrt, exponential or noam", name);
}

}  // namespace preamble
