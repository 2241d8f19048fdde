// The program as one of several processes.
#pragma once

namespace preamble {

/// Runs the program (see `run_program`). Where `mpirun` or a launcher like it has started several processes, they run the command together:
/// rank 0 alone prints and writes; an error of any rank is printed once, with the rank, and ends all of them. Returns the exit status.
int run_process(int argc, const char* const* argv);

}  // namespace preamble
