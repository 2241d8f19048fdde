#include "engine/distributed/watchdog.h"

#include <algorithm>
#include <utility>

#include "engine/distributed/deadline.h"
#include "engine/distributed/waiting_time.h"

namespace preamble {

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

void Watchdog::watch() {
  const auto pause = std::min<std::chrono::milliseconds>(limit_, std::chrono::milliseconds(50));
  std::unique_lock lock(mutex_);
  long seen = 0;
  WaitingTime waiting;
  while (!over_.wait_for(lock, pause, [this] { return stops_; })) {
    if (!calls_ || count_ != seen) {
      seen = count_;
      waiting.restart();
    } else if (waiting.passed() > limit_) {
      Deadline::end_process(message_);
    }
  }
}

}  // namespace preamble
