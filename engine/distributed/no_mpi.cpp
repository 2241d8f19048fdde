#include "engine/distributed/launch.h"

namespace preamble {

std::unique_ptr<LaunchedProcesses> join_launched(std::chrono::milliseconds /*patience*/) {
  raise<UnsupportedError>("this build has no MPI; wanted one made with -Dmpi=enabled, or a start without mpirun");
}

}  // namespace preamble
