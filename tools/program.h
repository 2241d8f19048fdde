// The whole program: commands, parse errors, exit status.
#pragma once

#include <iosfwd>

namespace preamble {

/// Parses the arguments and runs the command that they name. Exit status: 0; 1 if the command fails; 2 for arguments that cannot be parsed,
/// an unknown command or none. Help goes to `out`; errors, which end with a line break, go to `err`.
[[nodiscard]] int run_program(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace preamble
