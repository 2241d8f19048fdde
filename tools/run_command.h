// `preamble run`: one batch from a file through a model, for comparing with other implementations.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/compile/rematerialise.h"
#include "models/generate/generation_config.h"
#include "tools/optimizer_options.h"
#include "tools/weight_options.h"

namespace preamble {

struct RunArguments {
  std::filesystem::path model;
  std::vector<std::filesystem::path> adapters;
  std::optional<std::filesystem::path> trainable;
  std::string method;  ///< empty: as the adapters say; `full`: every parameter is trainable
  std::string task;
  bool grad = false;
  bool generate = false;
  int steps = 0;
  std::int64_t accumulation = 1;
  OptimizerOptions optimizer;
  GenerationConfig generation;
  Budget memory;
  WeightOptions weights = {};
  std::filesystem::path in;
  std::filesystem::path out;
};

/// Runs the command and returns the exit status. Throws Error.
int run_command(const RunArguments& arguments);

}  // namespace preamble
