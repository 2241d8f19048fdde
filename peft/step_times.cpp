#include "peft/step_times.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace preamble {

double StepTimes::sum() const noexcept { return std::accumulate(seconds_.begin(), seconds_.end(), 0.0); }

double StepTimes::median() const {
  if (seconds_.empty()) return 0;
  std::vector<double> values = seconds_;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace preamble
