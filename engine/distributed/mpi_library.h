// MPI's functions, out of the library of the machine that the program runs on.
#pragma once

// the C interface alone: that of C++ wants a library of its own
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

namespace preamble {

/// What this program calls of MPI. The library is looked for at run time, so that a program made with MPI starts on a machine without it.
struct MpiLibrary {
  decltype(&MPI_Init_thread) init_thread = nullptr;
  decltype(&MPI_Finalize) finalize = nullptr;
  decltype(&MPI_Abort) abort = nullptr;
  decltype(&MPI_Error_string) error_string = nullptr;
  decltype(&MPI_Comm_set_errhandler) comm_set_errhandler = nullptr;
  decltype(&MPI_Comm_dup) comm_dup = nullptr;
  decltype(&MPI_Comm_rank) comm_rank = nullptr;
  decltype(&MPI_Comm_size) comm_size = nullptr;
  decltype(&MPI_Comm_split_type) comm_split_type = nullptr;
  decltype(&MPI_Comm_free) comm_free = nullptr;
  decltype(&MPI_Iallgather) iallgather = nullptr;
  decltype(&MPI_Ialltoall) ialltoall = nullptr;
  decltype(&MPI_Ibcast) ibcast = nullptr;
  decltype(&MPI_Isend) isend = nullptr;
  decltype(&MPI_Irecv) irecv = nullptr;
  decltype(&MPI_Recv) recv = nullptr;
  decltype(&MPI_Iprobe) iprobe = nullptr;
  decltype(&MPI_Test) test = nullptr;

  // constants that are places in the library, in some implementations
  MPI_Comm comm_world{};
  MPI_Info info_null{};
  MPI_Datatype byte{};
  MPI_Errhandler errors_return{};

  /// Opens the library: the one that the environment variable PREAMBLE_MPI names, or that of the implementation whose header the program was made
  /// with. Throws UnsupportedError, with what the loader says.
  [[nodiscard]] static const MpiLibrary& open();

 private:
  MpiLibrary();
};

}  // namespace preamble
