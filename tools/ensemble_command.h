// `preamble ensemble`: several adapters of one method answer together, in one forward pass.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tools/encoder_options.h"
#include "tools/generation_options.h"
#include "tools/task_options.h"
#include "tools/weight_options.h"

namespace preamble {

struct EnsembleArguments {
  std::filesystem::path model;
  std::vector<std::filesystem::path> adapters;
  std::filesystem::path file;
  std::vector<std::string> ways = {"majority", "probabilities", "logits"};
  std::optional<std::filesystem::path> output;  ///< answers in the first of the ways, as JSONL
  std::int64_t batch_size = 16;                 ///< examples a batch of generation
  WeightOptions weights = {};
  bool json = false;
};

/// Prints a table: each member, their mean, the best, and the ensemble in each way. Returns the exit status. Throws Error.
int ensemble_command(const EnsembleArguments& arguments, const TaskOptions& task, const EncoderOptions& encoder,
                     const GenerationOptions& generation);

}  // namespace preamble
