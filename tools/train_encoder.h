// `preamble train` for encoders with heads: P-tuning v2, its baselines, and several tasks at once.
#pragma once

#include "tools/encoder_options.h"
#include "tools/task_options.h"
#include "tools/train_command.h"

namespace preamble {

/// Runs the command and returns the exit status. Throws Error.
int train_encoder_command(const TrainArguments& arguments, const TaskOptions& files, const EncoderOptions& options);

}  // namespace preamble
