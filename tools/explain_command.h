// `preamble explain`: what a training step computes and keeps, without running it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "engine/compile/rematerialise.h"
#include "engine/core/dtype.h"

namespace preamble {

struct ExplainArguments {
  /// A folder with a config.json, whose weights are not opened, or a published shape such as `t5-base`.
  std::string model;
  /// An adapter folder; absent: `method`.
  std::optional<std::filesystem::path> adapter;
  std::string method = "prompt";  ///< prompt, prefix, full
  std::int64_t virtual_tokens = 20;
  std::int64_t batch_size = 8;
  std::int64_t source = 256;  ///< tokens of each source
  std::int64_t target = 16;   ///< tokens of each target, all with a label
  Dtype weights = Dtype::f32;
  std::string memory_budget = "auto";
  bool json = false;
};

/// Prints the report for the method beside full fine-tuning. Returns the exit status. Throws Error.
int explain_command(const ExplainArguments& arguments);

}  // namespace preamble
