// An end for calls that wait without one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace preamble {

/// Ends the process with status 1 and a line, unless it is destroyed in time. For calls of MPI and NCCL that wait for other processes and cannot be
/// left: joining, leaving.
class Deadline {
 public:
  /// `message` is what the line says behind `preamble: `.
  Deadline(std::chrono::milliseconds limit, std::string message);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  /// Writes `preamble: `, the message and the end of a line, and ends the process with status 1 at once.
  [[noreturn]] static void end_process(const std::string& message) noexcept;

  /// The file descriptor that lines go to; standard error unless it is set.
  static void set_output(int descriptor) noexcept;

 private:
  void watch(std::chrono::milliseconds limit, const std::string& message);

  std::mutex mutex_;
  std::condition_variable over_;
  bool met_ = false;
  std::thread watch_;
};

}  // namespace preamble
