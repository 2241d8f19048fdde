#include <algorithm>
#include <array>
#include <cstdlib>

#include "engine/distributed/launch.h"

namespace preamble {

bool launched() noexcept {
  // Open MPI's mpirun; PMIx, which Slurm's srun --mpi=pmix uses; PMI of MPICH, Hydra and srun --mpi=pmi2
  constexpr std::array kNames = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
  return std::ranges::any_of(kNames, [](const char* name) { return std::getenv(name) != nullptr; });
}

int launched_rank() noexcept {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
    if (const char* value = std::getenv(name)) return std::atoi(value);
  }
  return 0;
}

bool is_of_launcher(std::string_view variable) noexcept {
  return variable.starts_with("OMPI_") || variable.starts_with("PMIX_") || variable.starts_with("PMI_") || variable.starts_with("ORTE_");
}

std::chrono::milliseconds turn_of(int rank) noexcept {
  // of many ranks the later ones come close together: somebody below them has spoken by then
  constexpr int kApart = 4;
  return std::chrono::milliseconds(1000 * std::min(rank, kApart) + 20 * std::max(0, rank - kApart));
}

}  // namespace preamble
