// Joining the processes that a launcher has started.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "engine/distributed/communicator.h"

namespace preamble {

/// Did `mpirun`, or a launcher like it, start this process as one of several? Looks at the environment that they leave.
[[nodiscard]] bool launched() noexcept;
/// The rank that the launcher gave this process; 0 if it says none.
[[nodiscard]] int launched_rank() noexcept;
/// Is this a variable of the environment by which launchers speak to their processes? A process that is none of theirs must not see it.
[[nodiscard]] bool is_of_launcher(std::string_view variable) noexcept;

/// How long a rank waits before it tells of an error that all may have run into, such as a missing file: the lowest of them tells it, and ends
/// the others meanwhile.
[[nodiscard]] std::chrono::milliseconds turn_of(int rank) noexcept;

/// One process of those that a launcher started.
class LaunchedProcesses : public Communicator {
 public:
  /// Ends all processes with this status, at once. Does not return.
  [[noreturn]] virtual void abort(int status) = 0;
};

/// Joins the others. Throws UnsupportedError if this build has no MPI or the machine has not its library, and DistributedError if MPI refuses. The
/// communicator leaves MPI when it is destroyed, once all ranks do. Where others don't come, or don't leave, within its patience (at first the given
/// one), the process ends (see `Deadline`).
[[nodiscard]] std::unique_ptr<LaunchedProcesses> join_launched(std::chrono::milliseconds patience);

}  // namespace preamble
