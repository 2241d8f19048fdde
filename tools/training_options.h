// Options that every command which trains has: of the prompt and of the loop.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "tools/train_command.h"

namespace preamble {

/// Adds the options of a prompt and its initial values. `fallback` gets the name that `text_fallback_of` reads.
void add_prompt_options(CLI::App& command, TrainArguments& arguments, std::string& fallback);

/// Adds the options of the training loop, of memory and of logs.
void add_loop_options(CLI::App& command, TrainArguments& arguments);

/// `tile`, `uniform` or `sample_vocab`.
[[nodiscard]] TextFallback text_fallback_of(const std::string& name);

}  // namespace preamble
