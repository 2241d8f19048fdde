// How long the updates of a run take.
#pragma once

#include <vector>

namespace preamble {

/// Seconds of each update.
class StepTimes {
 public:
  void add(double seconds) { seconds_.push_back(seconds); }
  [[nodiscard]] double sum() const noexcept;
  /// 0 without any.
  [[nodiscard]] double median() const;

 private:
  std::vector<double> seconds_;
};

}  // namespace preamble
