// How frozen matrices are held, as options of a command.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "models/parameters.h"

namespace preamble {

class WeightOptions {
 public:
  void add_to(CLI::App& command);

  /// f32, bf16, int8, nf4, int4 (the last two with -32 or -64: elements with one scale), stored
  std::string weights = "f32";
  /// Patterns of names (`*`, `?`, `[...]`) of matrices that stay in F32.
  std::vector<std::string> in_f32 = {};

  /// Says how a model is to be loaded. Throws ConfigError for a name of no type.
  [[nodiscard]] Parameters::Options parameters() const;
  /// What a run that is resumed must repeat, in one line.
  [[nodiscard]] std::string description() const;
};

}  // namespace preamble
