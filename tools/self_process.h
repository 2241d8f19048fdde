// This program once more, as a process of its own: what it trains and evaluates is gone from memory when it ends.
#pragma once

#include <string>
#include <vector>

namespace preamble {

/// Where a process writes what is no result: to our standard error, or into the error that is thrown if it fails.
enum class ErrorOutput { ours, kept };

/// Runs this program with these arguments and waits for it; it is killed if this process ends before. It is alone, even where this process is
/// one of several (mpirun). Returns what it wrote to standard output. Throws Error that names the arguments if it cannot be started or does not end
/// with status 0.
[[nodiscard]] std::string run_self(const std::vector<std::string>& arguments, ErrorOutput errors = ErrorOutput::ours);

}  // namespace preamble
