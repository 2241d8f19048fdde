// Loss, gradients and update of one batch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/distributed/device_sum.h"
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
  /// Tasks of a mixed batch: the loss is Σ_t r_t L_t / Σ_t r_t over the tasks t that the batch has labels of, with L_t the mean over the
  /// task's own labels, so that a task with longer targets does not weigh more. Empty: the mean over all labels alike.
  std::vector<double> task_rates = {};
  /// Each slot of a batch has a loss of its own: the mean over its labels; see `differentiate_slots`. Not together with rates of tasks.
  bool weighs_slots = false;
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
  /// The processes that share each batch; absent: this one takes all of it. Label counts are added up before the weights of the loss,
  /// gradients and losses before the norm, in the order of ranks.
  Communicator* ranks = nullptr;
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

  /// Losses and gradients of a batch whose sequences lie slot by slot, `sizes` of them in each: for each slot the numbers of a batch of its
  /// own (on the CPU to the bit; its loss without the z term). For options with `weighs_slots`. Throws ConfigError for a slot with sequences
  /// but no label.
  [[nodiscard]] std::vector<StepResult> differentiate_slots(const LossBatch& batch, std::span<const std::int32_t> sizes);
  /// An update of trainables()[i] alone, by the gradient of the last run. Optimizer (of one tensor) and `loss` outlive it.
  [[nodiscard]] std::unique_ptr<Update> update_of(std::size_t i, Optimizer& optimizer, const Tensor& loss);

  /// Compiles what `update` runs from now on. The optimizer was made for `shapes()` and outlives its last update.
  void optimize_with(Optimizer& optimizer);
  /// Differentiates, clips and updates. Each of several ranks gives its own parts, perhaps none; `first_part` is the number of parts that
  /// the ranks before it have. All ranks make the same update. Gradients stay where the program has left them: the host reads loss and norm
  /// alone. If the loss or a gradient is not finite nothing is updated, and the error names the first parameter and the first node with a
  /// bad value. Throws ConfigError without an optimizer, and as `differentiate`.
  StepResult update(std::span<const LossBatch> parts, double learning_rate, std::int64_t step = 0, std::size_t first_part = 0);

  /// Copies the trainables, and the state of an optimizer, from the device to the host's tensors, or the other way. On the CPU nothing is
  /// copied.
  void download(Optimizer& optimizer);
  void upload(Optimizer& optimizer);

  /// Changes with any bit of the model's tensors that the program reads, frozen or trained, as they are now.
  [[nodiscard]] std::uint64_t model_hash() const;

 private:
  /// A part of a batch, as the program takes it.
  struct Part {
    BatchInputs inputs;
    LabelWeights weights = {};
  };
  /// Label tokens and rows of the parts of some ranks.
  struct Share {
    std::int64_t labels = 0;
    std::int64_t rows = 0;
  };
  [[nodiscard]] std::vector<Part> parts_of(std::span<const LossBatch> batches) const;
  /// Those of this rank's parts; a part without labels is not run.
  [[nodiscard]] static Share share_of(std::span<const Part> parts);
  /// Gives the parts, which have so many labels on all ranks, the weights that the options ask for.
  void weigh(std::vector<Part>& parts, std::span<const LossBatch> batches, std::int64_t labels) const;
  /// Runs the parts; `each` runs the session.
  template <class Run>
  void run_parts(std::span<const Part> parts, std::int64_t step, std::size_t first_part, const Run& each);
  void run_parts(std::span<const Part> parts, std::int64_t step, std::size_t first_part);
  [[nodiscard]] double loss_of_parts() const;
  [[nodiscard]] std::vector<Share> shares_of_ranks(const Share& mine) const;
  void sum_over_ranks(const std::vector<Share>& shares);
  /// Weight of each task's labels, of all ranks; empty: no rates.
  [[nodiscard]] std::vector<double> task_weights(std::span<const Part> parts, std::span<const LossBatch> batches) const;
  void feed_dropout(std::int64_t step, std::size_t part);
  [[noreturn]] void refuse(std::span<const Part> parts, std::int64_t step, std::size_t first_part, const UpdateReport& report);

  std::unique_ptr<LossModel> model_;
  TrainingStepOptions options_;
  std::vector<Trainable> trainables_;
  Conditioning conditioning_;
  Session session_;
  std::string loss_;  ///< name of the result that is the batch's loss
  /// With several ranks on GPUs: adds up what their programs have left there. Outlives the update, which captures its launches.
  std::unique_ptr<DeviceSum> device_sum_;
  std::vector<Tensor> shared_results_;
  /// With several ranks and no such sum: what the update reads, sums over all ranks.
  std::vector<Tensor> sums_;
  Tensor sum_of_losses_;
  std::unique_ptr<Update> update_;
};

}  // namespace preamble
