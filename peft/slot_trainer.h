// Several prompts of one model, trained in one program.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/batching.h"
#include "data/examples.h"
#include "engine/optim/optimizer.h"
#include "engine/runtime/session.h"
#include "engine/runtime/update.h"
#include "models/language_model.h"
#include "peft/loss_model.h"
#include "peft/method.h"
#include "peft/step_times.h"
#include "peft/trainer.h"
#include "peft/training_state.h"

namespace preamble {

/// What happened to a slot at a step.
struct SlotProgress {
  std::int32_t slot = 0;
  TrainingProgress progress;
};

/// Trains slots 0 .. N-1 of a method, each with its own data order, learning rates, optimizer and files, in batches that hold a part for each
/// of them. On the CPU in float32 each slot's tensors become, to the bit, what a run of `Trainer` on that slot alone makes of them; so a
/// slot's state may also be resumed there.
class SlotTrainer {
 public:
  using MakeOptimizer = Trainer::MakeOptimizer;
  /// A number to maximise, computed with the slot's tensors as they are.
  using Evaluate = std::function<double(std::int32_t slot)>;
  using Report = std::function<void(const SlotProgress&)>;

  /// `options`: of each slot, as its own run would have them. They share the step's options, the number of steps an evaluation and a save
  /// are apart, and the size of batches. `method` has a tensor for each slot. Throws ConfigError for accumulated gradients, dropout, rates
  /// of tasks, a limit of rows, and for a method that has other tensors. An optimizer is of one tensor.
  SlotTrainer(LanguageModel& model, const Method& method, std::vector<Example> examples, const MakeOptimizer& optimizer,
              std::vector<TrainerOptions> options);

  /// Trains all slots to their last step. As `Trainer::fit`; but a slot whose loss or gradients are not finite is left as it was before
  /// that step, while the others go on.
  [[nodiscard]] std::vector<TrainingResult> fit(const Evaluate& evaluate = {}, const Report& report = {});

  /// Why a slot stopped before its last step; empty if it did not.
  [[nodiscard]] const std::string& failure(std::int32_t slot) const { return slots_.at(static_cast<std::size_t>(slot)).failure; }
  [[nodiscard]] const Program& program() const noexcept { return step_->program(); }

 private:
  struct Slot {
    TrainerOptions options;
    Batcher batcher;
    Trainable trainable;
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<Update> update;
    Tensor loss;  ///< 0: whether a slot's loss is finite, its gradient says
    TrainingState state;
    std::vector<Tensor> best;
    std::string failure;
    bool stopped = false;
    StepTimes times = {};

    [[nodiscard]] bool active() const { return !stopped && failure.empty() && state.step < options.max_steps; }
  };

  void update_all(std::vector<SlotProgress>& done);
  void finish_step(Slot& slot, SlotProgress& done, const Evaluate& evaluate);
  void save(Slot& slot);
  void download(Slot& slot);

  std::vector<Example> examples_;
  std::unique_ptr<TrainingStep> step_;
  std::vector<Slot> slots_;
};

}  // namespace preamble
