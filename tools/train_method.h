// Options of prefixes, of P-tuning and of LoRA.
#pragma once

#include <CLI/CLI.hpp>

#include "peft/method_recipe.h"

namespace preamble {

/// Adds the options to a command.
void add_options(CLI::App& command, MethodOptions& options);
void add_options(CLI::App& command, LoraConfig& options);

}  // namespace preamble
