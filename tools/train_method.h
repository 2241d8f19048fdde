// Options of prefixes and of P-tuning.
#pragma once

#include <CLI/CLI.hpp>

#include "peft/method_recipe.h"

namespace preamble {

/// Adds the options to a command.
void add_options(CLI::App& command, MethodOptions& options);

}  // namespace preamble
