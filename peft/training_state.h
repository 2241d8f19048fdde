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

namespace preamble {

/// What PEFT's files cannot hold. Saved as one safetensors file, atomically: after a kill at any moment there is either the
/// old state or the new one.
struct TrainingState {
  std::int64_t step = 0;  ///< updates made
  BatchPosition position;
  std::int64_t evaluations_without_gain = 0;
  std::optional<double> best_metric;
  std::int64_t best_step = 0;
  /// What must be equal for a resumed run to be the same run: options and data, as text.
  std::string fingerprint;

  /// FOLDER/trainer_state.safetensors
  [[nodiscard]] static std::filesystem::path path(const std::filesystem::path& folder);

  /// `best`: values of the trainables at `best_step`; empty if none was chosen.
  void save(const std::filesystem::path& folder, const std::vector<Trainable>& trainables, const Optimizer& optimizer,
            const std::vector<Tensor>& best) const;
  /// Restores trainables (in place), optimizer and best values. Throws FileError if the file is damaged or of another kind of run,
  /// ConfigError if its fingerprint is another one.
  [[nodiscard]] static TrainingState load(const std::filesystem::path& folder, const std::string& fingerprint, std::vector<Trainable>& trainables,
                                          Optimizer& optimizer, std::vector<Tensor>& best);
};

}  // namespace preamble
