// What makes a training run the same run.
#pragma once

#include <map>
#include <span>
#include <string>

#include "data/examples.h"
#include "engine/optim/optimizer.h"

namespace preamble {

class TrainingStep;
struct TrainerOptions;

/// Properties of a run that must be equal where it goes on, by name: `batches` -> `sequences 32, ...`.
using RunIdentity = std::map<std::string, std::string>;

/// `learning rate: 'peak 0.1, constant' there, 'peak 0.3, constant' here; ...`: every property in which two runs differ; empty if they are
/// equal.
[[nodiscard]] std::string differences(const RunIdentity& there, const RunIdentity& here);

/// All that updates depend on and the trainer knows of: the model's tensors and the examples by their content (so data, templates, labels,
/// tokenizer and length limits count, and file names do not), batches, learning rates, the optimizer's and the step's options. What the
/// memory plan and the threads are does not count, nor how often the run evaluates and saves.
[[nodiscard]] RunIdentity identity_of(const TrainerOptions& options, const TrainingStep& step, const Optimizer& optimizer,
                                      std::span<const Example> examples);

/// `400 examples, 90b1c2d3e4f50617`: number and content.
[[nodiscard]] std::string describe_content(std::span<const Example> examples);

}  // namespace preamble
