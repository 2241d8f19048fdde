// The memory of this process, and running the benchmark again in a fresh one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace preamble::bench {

/// Bytes, from /proc/self/status.
struct ProcessMemory {
  std::int64_t resident = 0;
  std::int64_t peak = 0;  ///< largest `resident` so far
};
/// Throws Error where the system does not tell.
[[nodiscard]] ProcessMemory process_memory();

/// What a child process wrote to its standard output, and its exit status (128 + signal if a signal ended it).
struct ChildResult {
  std::string output;
  int status = 0;
};
/// Runs this executable with other arguments. Standard error is shared.
[[nodiscard]] ChildResult run_self(const std::vector<std::string>& arguments);

/// Replaces this process by the same executable with other arguments and the environment as it is now.
[[noreturn]] void restart_self(const std::vector<std::string>& arguments);

}  // namespace preamble::bench
