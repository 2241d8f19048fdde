// An end for calls that are made again and again and may wait without one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace preamble {

/// Ends the process with status 1 and a line if a watched call takes too long. One thread watches all calls: beginning and
/// ending one costs no thread.
class Watchdog {
 public:
  /// `message` is what the line says behind `preamble: `.
  Watchdog(std::chrono::milliseconds limit, std::string message);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// A call begins. Calls do not overlap.
  void begin();
  /// It has ended. Whoever leaves a call by an exception does not say so: what is cleaned up meanwhile may hang, too.
  void end();

  /// The file descriptor that lines go to; standard error unless it is set.
  static void set_output(int descriptor) noexcept;

 private:
  void watch();

  const std::chrono::milliseconds limit_;
  const std::string message_;
  std::mutex mutex_;
  std::condition_variable over_;
  bool calls_ = false;
  bool stops_ = false;
  long count_ = 0;  ///< of calls
  std::thread watch_;
};

}  // namespace preamble
