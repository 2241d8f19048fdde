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

#include "data/batch_source.h"
#include "data/examples.h"
#include "data/sharded_batches.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "models/language_model.h"
#include "peft/method.h"
#include "peft/run_identity.h"
#include "peft/step_times.h"
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
  /// End with the trainables of the best evaluation; false: with those of the last update.
  bool keep_best = true;
  /// Hand the trainables to `Checkpoint` every so many updates, and before the first; 0: never.
  std::int64_t checkpoint_steps = 0;
  /// The processes that train together, if there are several. Each batch is cut into size() · gradient_accumulation_steps parts, and rank r
  /// takes the r-th run of them; rank 0 alone writes. `-n N` gives the bits of N parts on one process.
  Communicator* ranks = nullptr;
  /// What must be equal in a resumed run beside what the trainer knows itself (see `identity_of`): method, validation data, ...
  RunIdentity identity;

  /// Whether an evaluation follows update number `update`, if the run evaluates at all.
  [[nodiscard]] bool evaluates_after(std::int64_t update) const noexcept;
  /// Whether the run has stopped early.
  [[nodiscard]] bool stops_at(const TrainingState& state) const noexcept;
  /// Whether the state is saved now, after an update that was or was not followed by an evaluation.
  [[nodiscard]] bool saves_at(const TrainingState& state, bool evaluated) const noexcept;
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

  [[nodiscard]] static TrainingResult of(const TrainingState& state, bool stopped, const StepTimes& times, const Program& program);
};

/// Lengths of examples as a model batches them: source and target apart, or joint for a decoder-only model.
[[nodiscard]] std::vector<ExampleLength> lengths_for(const LanguageModel& model, std::span<const Example> examples);

/// Number of parts of a whole batch, over all ranks. Throws ConfigError for options that are no positive numbers.
[[nodiscard]] std::int64_t part_count(const TrainerOptions& options);

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
  /// The same of examples in shards, of which `data` holds this process's.
  Trainer(LanguageModel& model, const Method& method, std::unique_ptr<ShardedBatches> data, const MakeOptimizer& optimizer, TrainerOptions options);
  Trainer(const HeadedEncoder& model, const Method& method, std::unique_ptr<ShardedBatches> data, const MakeOptimizer& optimizer,
          TrainerOptions options);
  /// The same of batches from elsewhere; the capacity of `model` holds each of them. `options.batches` is not read.
  Trainer(std::unique_ptr<LossModel> model, const Method& method, std::unique_ptr<BatchSource> data, const MakeOptimizer& optimizer,
          TrainerOptions options);

  /// A number to maximise, computed with the trainables as they are.
  using Evaluate = std::function<double()>;
  using Report = std::function<void(const TrainingProgress&)>;
  /// Gets the number of updates made; the trainables on the host are those of that moment.
  using Checkpoint = std::function<void(std::int64_t step)>;

  /// Trains. Several ranks first compare what they were given (DistributedError, with the rank and what differs), then make the same
  /// updates; `evaluate` is called on all of them, at the same steps, and the root's number counts. With `evaluate` and `keep_best`, the
  /// trainables end as they were at the best evaluation: the earliest of equal ones, and never one whose number is NaN. The same options,
  /// data and seed give the same bits, straight or resumed, with any number of threads. Throws Error for a step whose loss or gradients are
  /// not finite, which changes no tensor and is not saved, and for a state that cannot be written: the one before it stays on the disk.
  TrainingResult fit(const Evaluate& evaluate = {}, const Report& report = {}, const Checkpoint& checkpoint = {});

  [[nodiscard]] const TrainingStep& step() const noexcept { return *step_; }
  /// Where `fit` takes its batches from.
  [[nodiscard]] BatchSource& data() const noexcept { return *data_; }
  /// The batch of the last `next` in parts: those of this rank.
  [[nodiscard]] std::vector<LossBatch> parts_of(std::span<const Example* const> examples) const;
  /// The first part of a whole batch that this rank takes.
  [[nodiscard]] std::size_t first_part() const noexcept;

 private:
  /// Examples in memory, as batches and as a loss for the largest of them.
  struct Data {
    std::unique_ptr<LossModel> model;
    std::unique_ptr<BatchSource> batches;
  };
  template <class Model>
  [[nodiscard]] static Data prepare(Model& model, const LanguageModel& language_model, std::vector<Example> examples,
                                    const TrainerOptions& options);
  template <class Model>
  [[nodiscard]] static Data prepare(Model& model, std::unique_ptr<ShardedBatches> batches, const TrainerOptions& options);
  Trainer(Data data, const Method& method, const MakeOptimizer& optimizer, const TrainerOptions& options);

  void evaluate(const Evaluate& evaluate, TrainingProgress& progress);
  void save();
  void resume();
  void compare_ranks() const;

  TrainerOptions options_;
  std::unique_ptr<BatchSource> data_;
  std::unique_ptr<TrainingStep> step_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<Trainable> trainables_;
  TrainingState state_;
  std::vector<Tensor> best_;
};

}  // namespace preamble
