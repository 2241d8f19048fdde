// Options of every command that generates text, named as in transformers.
#pragma once

#include <CLI/CLI.hpp>

#include "models/generate/generation_config.h"

namespace preamble {

/// Adds the options to a command. What the command line does not give keeps the value that `config` has when the command
/// runs, so that a model folder's own options can be read first: see `apply`.
class GenerationOptions {
 public:
  void add_to(CLI::App& app);
  /// Assigns the options that were given over `config`.
  void apply(GenerationConfig& config) const;

 private:
  GenerationConfig given_;
  int max_new_tokens_ = 0;
  int min_new_tokens_ = 0;
  int forced_bos_ = 0;
  int forced_eos_ = 0;
  bool early_stopping_ = false;
  CLI::App* app_ = nullptr;
};

}  // namespace preamble
