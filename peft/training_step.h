// Loss, gradients and update of one batch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/optim/optimizer.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "engine/runtime/update.h"
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
  /// Batches may come in several parts, whose gradients are added up.
  bool accumulate = false;
  /// Look at every value of every run and name the first node that makes one which is not finite, even where the loss does not show it.
  bool detect_anomaly = false;
  /// Seed of the masks of dropout; absent: nothing is dropped.
  std::optional<std::uint64_t> dropout_seed = {};
  /// In the net, frozen or not; where, each model's class says.
  DropoutRates dropout = {};
};

/// What one update did.
struct StepResult {
  double loss = 0;           ///< before the update
  double gradient_norm = 0;  ///< before clipping; 0 before the update
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
  /// ConfigError if no position has a label, and for several parts without `accumulate`. Masks of dropout are functions of seed, `step` and
  /// part alone; with dropout the parts do matter.
  StepResult differentiate(std::span<const LossBatch> parts, std::int64_t step = 0);
  /// The gradient of trainables()[i] from the last `differentiate`; empty if the loss does not depend on it.
  [[nodiscard]] std::span<const float> gradient(std::size_t i) const;

  /// Compiles what `update` runs from now on. The optimizer was made for `shapes()` and outlives its last update.
  void optimize_with(Optimizer& optimizer);
  /// Differentiates, clips and updates. Gradients stay where the program has left them: loss and norm are all that the host reads. If the
  /// loss or a gradient is not finite nothing is updated, and the error says which parameter's gradient and which node's value was the
  /// first. Throws ConfigError without an optimizer, and as `differentiate`.
  StepResult update(std::span<const LossBatch> parts, double learning_rate, std::int64_t step = 0);

  /// Copies the trainables, and the state of an optimizer, from the device to the host's tensors, or the other way. On the CPU they are
  /// one.
  void download(Optimizer& optimizer);
  void upload(Optimizer& optimizer);

  /// Changes with any bit of the model's tensors that the program reads, frozen or trained, as they are now.
  [[nodiscard]] std::uint64_t model_hash() const;

 private:
  /// Runs the parts; `each` runs the session. Rows and labels are noted in the result.
  template <class Run>
  StepResult run_parts(std::span<const LossBatch> parts, std::int64_t step, const Run& each);
  StepResult run_parts(std::span<const LossBatch> parts, std::int64_t step);
  void feed_dropout(std::int64_t step, std::size_t part);
  [[noreturn]] void refuse(std::span<const LossBatch> parts, std::int64_t step, const UpdateReport& report);

  std::unique_ptr<LossModel> model_;
  TrainingStepOptions options_;
  std::vector<Trainable> trainables_;
  Conditioning conditioning_;
  Session session_;
  std::string loss_;  ///< name of the result that is the batch's loss
  std::unique_ptr<Update> update_;
};

}  // namespace preamble
