// `preamble explain`: what a training step computes and keeps, without running it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "engine/compile/rematerialise.h"
#include "peft/made_up_training.h"
#include "tools/weight_options.h"

namespace preamble {

struct ExplainArguments {
  /// A folder with a config.json, whose weights are not opened, or a published shape such as `gpt2-medium`.
  std::string model;
  /// An adapter folder; absent: `method`.
  std::optional<std::filesystem::path> adapter;
  MethodShape method;
  BatchShape batch;
  /// New tokens of a generation whose key/value cache is shown; 0: none.
  std::int64_t new_tokens = 0;
  std::int64_t beams = 1;
  WeightOptions weights = {};
  std::string memory_budget = "auto";
  std::string kept_values = "exact";
  bool json = false;
};

/// Prints the report for the method beside full fine-tuning. Returns the exit status. Throws Error.
int explain_command(const ExplainArguments& given);

}  // namespace preamble
