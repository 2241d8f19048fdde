// Options that every command which trains has, named as in transformers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"

namespace preamble {

struct OptimizerOptions {
  std::string optim = "adamw";
  std::optional<double> learning_rate = {};  ///< absent: by method, see `default_learning_rate`
  double weight_decay = 0;
  double max_grad_norm = 0;
  AdamWOptions adamw;
  AdafactorOptions adafactor;
  double momentum = 0;
  std::string lr_scheduler_type = "constant";
  std::int64_t warmup_steps = 0;
  double lr_gamma = 0.95;
  std::int64_t lr_step_offset = 0;

  [[nodiscard]] std::unique_ptr<Optimizer> make(std::vector<Dims> shapes) const;
  /// `otherwise`: the peak where none is given.
  [[nodiscard]] LearningRate schedule(std::int64_t total_steps, std::int64_t steps_per_epoch = 1, double otherwise = 0.3) const;
};

/// Adds the options to a command.
void add_options(CLI::App& app, OptimizerOptions& options);

}  // namespace preamble
