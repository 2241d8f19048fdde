// What several processes that answer together must have been given alike.
#pragma once

#include <span>
#include <string>

#include "data/examples.h"
#include "models/generate/generation_config.h"
#include "models/language_model.h"
#include "peft/method.h"

namespace preamble {

/// A collective of `world()`, once programs hold the model's tensors: throws DistributedError, with the rank and what differs, unless all processes
/// have the same tensors, trained values (the method's, and `others`: those of heads), examples and options. Nothing on one process.
void require_equal_inputs(LanguageModel& model, const Method& method, const std::vector<Trainable>& others, std::span<const Example> examples,
                          const std::string& options);

/// `beams 4, ...`: all that texts depend on beside the model and its input.
[[nodiscard]] std::string describe(const GenerationConfig& config);

}  // namespace preamble
