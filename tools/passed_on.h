// Options of this program that the processes it starts get, too.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace preamble {

/// `--threads`, `--device`, `--compute` and `--strict` with their values, as far as they were given to a command that has `add_common`'s options.
[[nodiscard]] std::vector<std::string> passed_on(const CLI::App& command);

}  // namespace preamble
