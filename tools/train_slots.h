// `preamble train --slots N`: several prompts of one model in one program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/task_options.h"
#include "tools/train_command.h"

namespace preamble {

/// In what the slots differ. Lists are empty, or have an entry for each slot.
struct SlotArguments {
  std::int64_t slots = 0;             ///< 0: a plain run
  std::vector<std::uint64_t> seeds;   ///< empty: that of the run, and those behind it
  std::vector<double> learning_rates; ///< empty: that of the run
  std::vector<std::string> inits;     ///< names of initialisers; empty: that of the run
  std::vector<std::int64_t> tokens;   ///< numbers of virtual tokens; empty: that of the run
};

void add_options(CLI::App& command, SlotArguments& slots);

/// Trains the prompts; slot k is saved in OUTPUT/slot-k as a run of its own would be. Returns the exit status. Throws Error; also,
/// when the others are saved, if a slot stopped because its loss was not finite.
int train_slots(const TrainArguments& arguments, const TaskOptions& task, const SlotArguments& slots);

}  // namespace preamble
