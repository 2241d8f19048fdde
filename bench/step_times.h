// Tables of the times of a device's steps.
#pragma once

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "engine/backend/cuda/backend.h"

namespace preamble::bench {

/// Prints the steps that took longest in some runs, and the sum of all, a run.
inline void print_steps(const std::vector<StepTime>& steps, int runs) {
  constexpr std::size_t kMost = 40;
  double all = 0;
  for (const auto& step : steps) all += step.milliseconds;
  fmt::print("  {:8.3f} ms in steps that were timed one by one\n", all / runs);
  for (std::size_t i = 0; i < std::min(steps.size(), kMost); ++i) {
    fmt::print("  {:8.3f} ms {:4} x {:8.1f} us  {}\n", steps[i].milliseconds / runs, steps[i].runs / runs,
               1e3 * steps[i].milliseconds / static_cast<double>(steps[i].runs), steps[i].step);
  }
}

}  // namespace preamble::bench
