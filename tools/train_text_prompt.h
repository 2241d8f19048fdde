// `preamble train --method text-prompt`: an instruction and examples in front of the input, instead of anything that is trained.
#pragma once

#include <CLI/CLI.hpp>

#include "peft/text_prompt.h"
#include "tools/task_options.h"
#include "tools/train_command.h"

namespace preamble {

void add_options(CLI::App& command, TextPromptOptions& options);

/// Chooses the examples from the training file and writes the task, which `eval` and `predict` take as an adapter, into the output folder.
/// With a validation file, scores it. Returns the exit status. Throws Error.
int train_text_prompt(const TrainArguments& arguments, const TaskOptions& task, TextPromptOptions options);

}  // namespace preamble
