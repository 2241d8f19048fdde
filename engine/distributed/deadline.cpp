#include "engine/distributed/deadline.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <unistd.h>

#include <fmt/format.h>

#include "engine/distributed/waiting_time.h"

namespace preamble {
namespace {

std::atomic<int> output = STDERR_FILENO;

}  // namespace

Deadline::Deadline(std::chrono::milliseconds limit, std::string message)
    : watch_([this, limit, text = std::move(message)] { watch(limit, text); }) {}

Deadline::~Deadline() {
  {
    const std::lock_guard lock(mutex_);
    met_ = true;
  }
  over_.notify_one();
  watch_.join();
}

void Deadline::set_output(int descriptor) noexcept { output = descriptor; }

void Deadline::watch(std::chrono::milliseconds limit, const std::string& message) {
  std::unique_lock lock(mutex_);
  for (WaitingTime waiting; waiting.passed() < limit;) {
    if (over_.wait_for(lock, std::min(limit, std::chrono::milliseconds(50)), [this] { return met_; })) return;
  }
  end_process(message);
}

void Deadline::end_process(const std::string& message) noexcept {
  const std::string line = fmt::format("preamble: {}\n", message);
  // the process ends whether or not somebody reads the line
  [[maybe_unused]] const auto written = ::write(output, line.data(), line.size());
  std::_Exit(1);
}

}  // namespace preamble
