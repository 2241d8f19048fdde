// `preamble sweep`: a grid of training runs, with their results as CSV and pictures.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace preamble {

struct SweepArguments {
  std::filesystem::path plan;
  std::filesystem::path output_dir;
  std::map<std::string, std::string> values;  ///< what $NAME stands for in the plan
  bool keep = false;                          ///< also what full fine-tuning has saved
  bool plot_only = false;                     ///< run nothing, draw what there is
  std::vector<std::string> passed_on;         ///< options that every training and evaluation gets: `--device cuda`; no part of a run's name
};

/// Runs what OUTPUT/NAME.csv does not have yet, each run (or group of prompts) in a process of its own, and adds a line for each. A run that
/// was interrupted goes on from its saved state. Then draws OUTPUT/NAME.svg, or NAME-1.svg, ... Models for the axis adaptation-steps are made
/// first, in OUTPUT/NAME-adapted, which all processes must see. A run that fails (a slot whose loss is not finite, say) is told on standard error, and
/// the others go on; at the end it is an Error. Of several processes each runs one of the runs at a time, as a single process would; the root writes
/// the table. Returns the exit status. Throws FileError, ConfigError.
int sweep_command(const SweepArguments& arguments);

}  // namespace preamble
