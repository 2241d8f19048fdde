// The training loop: batches, schedule, evaluation, selection, checkpoints.
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
#include "engine/optim/schedule.h"
#include "models/language_model.h"
#include "peft/method.h"
#include "peft/run_identity.h"
#include "peft/training_state.h"
#include "peft/training_step.h"

namespace preamble {

struct TrainerOptions {
  std::int64_t max_steps = 1000;
  /// Batch of one update. It is cut into `gradient_accumulation_steps` parts, which changes memory but not the result.
  BatchRules batches;
  std::int64_t gradient_accumulation_steps = 1;
  LearningRate learning_rate;
  TrainingStepOptions step;
  std::int64_t eval_steps = 0;  ///< evaluate every so many updates, and after the last; 0: after the last alone
  std::int64_t save_steps = 0;  ///< write the training state every so many updates; 0: at evaluations and at the end
  /// Stop after so many evaluations in a row without a better metric; 0: never.
  std::int64_t early_stopping_patience = 0;
  /// Where the training state goes; empty: nowhere.
  std::filesystem::path output;
  /// Go on from the state in `output` if there is one.
  bool resume = false;
  /// What must be equal in a resumed run beside what the trainer knows itself (see `identity_of`): method, validation data, ...
  RunIdentity identity;
};

/// What a progress line shows after an update.
struct TrainingProgress {
  std::int64_t step = 0;
  std::int64_t max_steps = 0;
  StepResult result;
  double learning_rate = 0;
  double seconds = 0;       ///< since `fit` began
  double step_seconds = 0;  ///< of this update
  double rows_per_second = 0;
  double seconds_left = 0;
  std::optional<double> metric;  ///< of an evaluation after this update
};

struct TrainingResult {
  std::int64_t steps = 0;
  double last_loss = 0;
  std::optional<double> best_metric;
  std::int64_t best_step = 0;
  bool stopped_early = false;
  double seconds = 0;  ///< of the updates alone
  double step_ms = 0;  ///< median of an update
  std::int64_t arena_bytes = 0;
  std::int64_t trainable_count = 0;
};

/// Lengths of examples as a model batches them: source and target apart, or joint for a decoder-only model.
[[nodiscard]] std::vector<ExampleLength> lengths_for(const LanguageModel& model, std::span<const Example> examples);

class Trainer {
 public:
  /// Makes an optimizer of tensors of these dimensions.
  using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(std::vector<Dims>)>;

  /// Compiles the program for the largest batch that the rules allow.
  Trainer(LanguageModel& model, const Method& method, std::vector<Example> examples, const MakeOptimizer& optimizer,
          TrainerOptions options);
  /// The same for an encoder with heads; those of them that are trained are trained with the method.
  Trainer(const HeadedEncoder& model, const Method& method, std::vector<Example> examples, const MakeOptimizer& optimizer,
          TrainerOptions options);

  /// A number to maximise, computed with the trainables as they are.
  using Evaluate = std::function<double()>;
  using Report = std::function<void(const TrainingProgress&)>;

  /// Trains. With `evaluate`, the trainables end as they were at the best evaluation: the earliest of equal ones, and never one whose
  /// number is NaN. The same options, data and seed give the same bits, straight or resumed, with any number of threads. A step whose loss
  /// or gradients are not finite is an Error; it changes no tensor and is not saved. So is a state that cannot be written; the last one
  /// stays.
  TrainingResult fit(const Evaluate& evaluate = {}, const Report& report = {});

  [[nodiscard]] const TrainingStep& step() const noexcept { return *step_; }
  [[nodiscard]] std::span<const Example> examples() const noexcept { return examples_; }
  /// The batch of indices `examples` in parts.
  [[nodiscard]] std::vector<LossBatch> parts_of(std::span<const std::uint32_t> examples) const;

 private:
  Trainer(const LanguageModel& model, std::vector<Example> examples, TrainerOptions options);
  void start(std::unique_ptr<LossModel> model, const Method& method, const MakeOptimizer& optimizer);
  void evaluate(const Evaluate& evaluate, TrainingProgress& progress);
  void save();

  std::vector<Example> examples_;
  TrainerOptions options_;
  Batcher batcher_;
  std::unique_ptr<TrainingStep> step_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<Trainable> trainables_;
  TrainingState state_;
  std::vector<Tensor> best_;
};

}  // namespace preamble
