#include "engine/distributed/watchdog.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <utility>

#include <unistd.h>

#include "engine/distributed/waiting_time.h"

namespace preamble {
namespace {

std::atomic<int> output = STDERR_FILENO;

[[noreturn]] void end_process(const std::string& message) {
  const std::string line = "preamble: " + message + "\n";
  // the process ends whether or not somebody reads the line
  [[maybe_unused]] const auto written = ::write(output, line.data(), line.size());
  std::_Exit(1);
}

}  // namespace

Watchdog::Watchdog(std::chrono::milliseconds limit, std::string message)
    : limit_(limit), message_(std::move(message)), watch_([this] { watch(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  over_.notify_one();
  watch_.join();
}

void Watchdog::begin() {
  const std::lock_guard lock(mutex_);
  calls_ = true;
  ++count_;
}

void Watchdog::end() {
  const std::lock_guard lock(mutex_);
  calls_ = false;
}

void Watchdog::set_output(int descriptor) noexcept { output = descriptor; }

void Watchdog::watch() {
  const auto pause = std::min<std::chrono::milliseconds>(limit_, std::chrono::milliseconds(50));
  std::unique_lock lock(mutex_);
  long seen = 0;
  WaitingTime waiting;
  while (!over_.wait_for(lock, pause, [this] { return stops_; })) {
    if (!calls_ || count_ != seen) {
      seen = count_;
      waiting.restart();
    } else if (waiting.passed() >= limit_) {
      end_process(message_);
    }
  }
}

}  // namespace preamble
