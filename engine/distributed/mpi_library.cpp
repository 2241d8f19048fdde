#include "engine/distributed/mpi_library.h"

#include <cstdlib>
#include <string>
#include <type_traits>
#include <vector>

#include <dlfcn.h>

#include <fmt/ranges.h>

#include "engine/core/error.h"

namespace preamble {
namespace {

std::vector<std::string> library_names() {
  if (const char* given = std::getenv("PREAMBLE_MPI")) return {given};
#ifdef OPEN_MPI
  return {"libmpi.so.40"};
#else
  return {"libmpi.so.12", "libmpich.so.12"};
#endif
}

void* open_library() {
  std::vector<std::string> problems;
  for (const auto& name : library_names()) {
    // MPI's own plug-ins look for its symbols
    if (void* library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL)) return library;
    problems.emplace_back(::dlerror());
  }
  raise<UnsupportedError>("several processes were started, and this machine's MPI cannot be opened: {}; wanted Open MPI (Debian: apt-get install "
                          "openmpi-bin), its library's path in PREAMBLE_MPI, or a start without mpirun",
                          fmt::join(problems, "; "));
}

void* symbol(void* library, const char* name) {
  void* found = ::dlsym(library, name);
  require<UnsupportedError>(found != nullptr, "MPI's library has no {}; wanted the one that this program was made with", name);
  return found;
}

}  // namespace

MpiLibrary::MpiLibrary() {
  void* library = open_library();
  const auto load = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(symbol(library, name));
  };
  load(init_thread, "MPI_Init_thread");
  load(finalize, "MPI_Finalize");
  load(abort, "MPI_Abort");
  load(error_string, "MPI_Error_string");
  load(comm_set_errhandler, "MPI_Comm_set_errhandler");
  load(comm_dup, "MPI_Comm_dup");
  load(comm_rank, "MPI_Comm_rank");
  load(comm_size, "MPI_Comm_size");
  load(comm_split_type, "MPI_Comm_split_type");
  load(comm_free, "MPI_Comm_free");
  load(iallgather, "MPI_Iallgather");
  load(ialltoall, "MPI_Ialltoall");
  load(ibcast, "MPI_Ibcast");
  load(isend, "MPI_Isend");
  load(irecv, "MPI_Irecv");
  load(recv, "MPI_Recv");
  load(iprobe, "MPI_Iprobe");
  load(test, "MPI_Test");
#ifdef OPEN_MPI
  load(comm_world, "ompi_mpi_comm_world");
  load(info_null, "ompi_mpi_info_null");
  load(byte, "ompi_mpi_byte");
  load(errors_return, "ompi_mpi_errors_return");
#else
  comm_world = MPI_COMM_WORLD;
  info_null = MPI_INFO_NULL;
  byte = MPI_BYTE;
  errors_return = MPI_ERRORS_RETURN;
#endif
}

const MpiLibrary& MpiLibrary::open() {
  static const MpiLibrary library;
  return library;
}

}  // namespace preamble
