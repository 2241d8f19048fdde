// The file from which training goes on as if it had never stopped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/batching.h"
#include "engine/optim/optimizer.h"
#include "peft/method.h"
#include "peft/run_identity.h"

namespace preamble {

/// What PEFT's files cannot hold. Saved as one safetensors file, atomically: after a kill at any moment there is either the
/// old state or the new one.
struct TrainingState {
  std::int64_t step = 0;  ///< updates made
  BatchPosition position;
  double last_loss = 0;  ///< of the last update
  std::int64_t evaluations_without_gain = 0;
  std::optional<double> best_metric;
  std::int64_t best_step = 0;
  /// What must be equal for a resumed run to be the same run.
  RunIdentity identity;

  /// Notes the metric of an evaluation after `step` updates. True if it is larger than all before; NaN never is.
  bool note(double metric);

  /// FOLDER/trainer_state.safetensors
  [[nodiscard]] static std::filesystem::path path(const std::filesystem::path& folder);

  /// `best`: values of the trainables at `best_step`; empty if none was chosen.
  void save(const std::filesystem::path& folder, const std::vector<Trainable>& trainables, const Optimizer& optimizer,
            const std::vector<Tensor>& best) const;
  /// Restores trainables (in place), optimizer and best values. Throws FileError if the file is damaged or of another kind of run,
  /// ConfigError with all differences if its identity is another one. Whatever it throws, nothing has been restored.
  /// Another number of processes is a remark (`warn`).
  [[nodiscard]] static TrainingState load(const std::filesystem::path& folder, const RunIdentity& identity,
                                          std::vector<Trainable>& trainables, Optimizer& optimizer, std::vector<Tensor>& best);
};

}  // namespace preamble
