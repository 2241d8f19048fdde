// What makes a training run the same run.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "data/batch_source.h"
#include "engine/distributed/communicator.h"
#include "engine/optim/optimizer.h"

namespace preamble {

class TrainingStep;
struct TrainerOptions;

/// Properties of a run that must be equal where it goes on, by name: `batches` -> `sequences 32, ...`.
using RunIdentity = std::map<std::string, std::string>;

/// The property that says how many processes trained, where there were several. Masks of dropout and the order of sums depend on it, nothing else: a
/// run may go on with another number.
constexpr const char* kProcesses = "processes";

/// As text, and back.
[[nodiscard]] std::string to_text(const RunIdentity& identity);
[[nodiscard]] RunIdentity identity_from(std::string_view text);

/// `learning rate: 'peak 0.1, constant' there, 'peak 0.3, constant' here; ...`: every property in which two runs differ; empty if they are
/// equal.
[[nodiscard]] std::string differences(const RunIdentity& there, const RunIdentity& here);

/// A collective: throws DistributedError, with the rank and what differs, unless all ranks were given the same as the root.
void require_equal_on_ranks(Communicator& ranks, const RunIdentity& mine);

/// All that updates depend on and the trainer knows of: the model's tensors and the data by their content (so files, templates, labels,
/// tokenizer and length limits count, and file names do not), batches, learning rates, the optimizer's and the step's options. What the
/// memory plan and the threads are does not count, nor how often the run evaluates and saves.
[[nodiscard]] RunIdentity identity_of(const TrainerOptions& options, const TrainingStep& step, const Optimizer& optimizer,
                                      const BatchSource& data);

}  // namespace preamble
