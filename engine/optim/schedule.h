// Learning rates over the course of a training run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace preamble {

/// Names as transformers' `lr_scheduler_type`: constant, constant_with_warmup, linear, cosine, inverse_sqrt; exponential, torch's
/// ExponentialLR stepped once an epoch (P-tuning v2's sequence labelling and question answering: γ = 0.95); and noam, with which T5
/// was pretrained and adapted (Raffel et al. 2020, section 3.1.2).
enum class ScheduleKind : std::uint8_t { constant, linear, cosine, inverse_sqrt, exponential, noam };

struct LearningRate {
  double peak = 1e-3;
  ScheduleKind kind = ScheduleKind::constant;
  std::int64_t warmup_steps = 0;
  std::int64_t total_steps = 0;
  std::int64_t steps_per_epoch = 0;  ///< exponential: 0 counts as 1
  double gamma = 0.95;               ///< exponential: factor of an epoch
  std::int64_t step_offset = 0;      ///< noam: updates of the checkpoint before the first

  /// Rate of update k = 0, 1, ...: peak·k/W for k < W; then constant: peak; linear: peak·(N-k)/(N-W); cosine:
  /// peak·(1 + cos(π(k-W)/(N-W)))/2; inverse_sqrt: peak·√(T/(k-W+T)) with T = W, or 10,000 without warm-up; exponential: peak·γ^⌊k/E⌋
  /// with E updates an epoch; noam: peak·√(T / max(k + offset, T)), without a rise.
  [[nodiscard]] double at(std::int64_t step) const noexcept;
  /// `linear, peak 0.1, warm-up 10 of 100 steps`: all that `at` depends on.
  [[nodiscard]] std::string describe() const;
};

/// Throws ConfigError that lists the names.
[[nodiscard]] ScheduleKind schedule_of(std::string_view name);

}  // namespace preamble
