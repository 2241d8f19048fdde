// An end for calls that wait without one.
#pragma once

#include <chrono>
#include <string>

#include "engine/distributed/watchdog.h"

namespace preamble {

/// Ends the process with status 1 and a line, unless it is destroyed in time: a `Watchdog` of one call. For calls of MPI and NCCL that wait for other
/// processes and cannot be left: joining, leaving.
class Deadline {
 public:
  /// `message` is what the line says behind `preamble: `.
  Deadline(std::chrono::milliseconds limit, std::string message);

 private:
  Watchdog watchdog_;
};

}  // namespace preamble
