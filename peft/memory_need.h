// How much memory a training step takes, before it runs.
#pragma once

#include <cstdint>

#include "engine/optim/optimizer.h"
#include "models/language_model.h"
#include "peft/training_step.h"

namespace preamble {

/// Bytes. The inputs of a batch lie in the arena; so do gradients, unless they are summed over the parts of a batch.
struct MemoryNeed {
  std::int64_t weights = 0;  ///< of the backbone, frozen or trained
  std::int64_t frozen = 0;
  std::int64_t trained = 0;
  std::int64_t optimizer = 0;
  std::int64_t arena = 0;
  std::int64_t gradients = 0;    ///< part of the arena, or of `sums`
  std::int64_t sums = 0;         ///< of gradients and loss over the parts of a batch; 0 where batches have one part
  std::int64_t lower_bound = 0;  ///< of the arena: the largest sum of live bytes

  [[nodiscard]] std::int64_t total() const noexcept { return frozen + trained + optimizer + sums + arena; }
  [[nodiscard]] std::int64_t beyond_weights() const noexcept { return total() - weights; }
};

[[nodiscard]] MemoryNeed memory_need(LanguageModel& model, const TrainingStep& step, const Optimizer& optimizer);

}  // namespace preamble
