// Loss, gradients and update of one batch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/runtime/compile.h"
#include "engine/optim/optimizer.h"
#include "engine/runtime/session.h"
#include "peft/loss_model.h"
#include "peft/method.h"

namespace preamble {

struct TrainingStepOptions {
  Budget memory = Budget::automatic();
  /// The loss is the mean over the label tokens of the whole batch; false: their sum (t5x).
  bool mean = true;
  double z_loss = 0;
  /// 0: gradients are not clipped.
  double max_grad_norm = 0;
  /// Seed of the masks of dropout; absent: nothing is dropped.
  std::optional<std::uint64_t> dropout_seed = {};
  /// In the net, frozen or not; where, each model's class says.
  DropoutRates dropout = {};
};

/// What one update did.
struct StepResult {
  double loss = 0;           ///< before the update
  double gradient_norm = 0;  ///< before clipping; 0 if neither clipping nor reporting asked for it
  std::int64_t rows = 0;     ///< computed rows of all stacks, prompts included
  std::int64_t label_tokens = 0;
};

/// A compiled loss with its gradients, and the trainables that they update. The backbone is never written unless it is
/// trained itself.
class TrainingStep {
 public:
  /// Compiles a program for batches up to the capacity of `model`. Trainables are the method's, those of heads, and the model's parameters
  /// that are not frozen.
  TrainingStep(std::unique_ptr<LossModel> model, const Method& method, const TrainingStepOptions& options);
  TrainingStep(EncoderDecoder& model, const Method& method, const Seq2SeqCapacity& capacity, const TrainingStepOptions& options)
      : TrainingStep(loss_model(model, capacity), method, options) {}

  [[nodiscard]] const std::vector<Trainable>& trainables() const noexcept { return trainables_; }
  [[nodiscard]] std::vector<Dims> shapes() const;
  [[nodiscard]] const LossModel& model() const noexcept { return *model_; }
  [[nodiscard]] const Program& program() const noexcept { return session_.program(); }

  /// Loss and gradients of a batch that is cut into parts: the same numbers as of the whole, whatever the parts. Throws
  /// ConfigError if no position has a label. Masks of dropout are functions of seed, `step` and part alone; with dropout the parts do
  /// matter.
  StepResult differentiate(std::span<const LossBatch> parts, std::int64_t step = 0);
  /// The gradient of trainables()[i] from the last `differentiate`; empty if the loss does not depend on it.
  [[nodiscard]] std::span<const float> gradient(std::size_t i) const;
  /// Clips and updates. The norm is noted in `result`.
  void update(Optimizer& optimizer, double learning_rate, StepResult& result);

 private:
  void feed_dropout(std::int64_t step, std::size_t part);

  std::unique_ptr<LossModel> model_;
  TrainingStepOptions options_;
  std::vector<Trainable> trainables_;
  Conditioning conditioning_;
  Session session_;
  /// Sums over the parts of a batch; empty while batches come in one part.
  std::vector<std::vector<float>> sums_;
  bool summed_ = false;
};

}  // namespace preamble
