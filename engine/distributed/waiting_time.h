// How long a process has really waited.
#pragma once

#include <algorithm>
#include <chrono>

namespace preamble {

/// A clock that stands still while the process does: a job that is suspended and goes on (a scheduler does that to all of its processes), or that gets
/// no processor for a while, has not waited meanwhile. It must be looked at several times a second.
class WaitingTime {
 public:
  using Clock = std::chrono::steady_clock;

  /// Since the beginning, or since `restart`.
  [[nodiscard]] Clock::duration passed() noexcept {
    const auto now = Clock::now();
    passed_ += std::min<Clock::duration>(now - last_, std::chrono::milliseconds(200));
    last_ = now;
    return passed_;
  }
  void restart() noexcept {
    passed_ = {};
    last_ = Clock::now();
  }

 private:
  Clock::duration passed_{};
  Clock::time_point last_ = Clock::now();
};

}  // namespace preamble
