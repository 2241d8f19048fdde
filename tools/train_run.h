// What every run of `preamble train` shares, whatever its task: the loop's options, progress, the check of the frozen weights, the summary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/batching.h"
#include "data/sharded_batches.h"
#include "models/language_model.h"
#include "peft/trainer.h"
#include "tools/progress.h"
#include "tools/train_command.h"

namespace preamble {

class TrainRun {
 public:
  using Metrics = std::map<std::string, double>;

  TrainRun(const TrainRun&) = delete;
  TrainRun& operator=(const TrainRun&) = delete;
  virtual ~TrainRun() = default;

  /// Trains, saves, and prints what it cost. Returns the exit status.
  int run();

 protected:
  explicit TrainRun(const TrainArguments& args)
      : args_(args), learning_rate_(args.optimizer.learning_rate.value_or(default_learning_rate(args, args.optimizer.optim))) {}

  /// How the model is opened: all of it frozen, or trained.
  [[nodiscard]] Parameters::Options model_options() const;
  [[nodiscard]] bool full() const { return args_.method == "full"; }
  [[nodiscard]] BatchRules batch_rules() const;
  /// Derives the updates of an epoch and of the whole run from the lengths of the examples.
  void plan_steps(std::vector<ExampleLength> lengths);
  /// The batches of the training data in shards, of which these are this process's; plans the steps. A collective.
  [[nodiscard]] std::unique_ptr<ShardedBatches> plan_shards(std::vector<Shard> own);
  /// All that the trainer is told.
  [[nodiscard]] TrainerOptions options() const;
  /// Makes the output folder, without a state of an earlier run unless that is resumed.
  void prepare_output() const;
  /// -1 where less is better: the trainer takes the largest value for the best.
  [[nodiscard]] double metric_sign() const { return metric() == "loss" || metric() == "ter" ? -1 : 1; }
  /// The same where they are known.
  void plan_steps(std::int64_t steps) noexcept { steps_ = steps; }
  /// Updates of the whole run.
  [[nodiscard]] std::int64_t steps() const noexcept { return steps_; }

  /// Of the tasks whose examples are mixed; empty: one task.
  [[nodiscard]] virtual std::vector<double> task_rates() const { return {}; }
  /// Whether batches are drawn by these rates; else every example comes once an epoch.
  [[nodiscard]] virtual bool draws_by_rate() const { return true; }
  [[nodiscard]] virtual LanguageModel& model() const = 0;
  /// The trainer of this task; `options` are complete.
  [[nodiscard]] virtual std::unique_ptr<Trainer> make_trainer(const TrainerOptions& options) = 0;
  /// Name of the score that chooses the checkpoint.
  [[nodiscard]] virtual std::string metric() const = 0;
  /// Whether there is a validation file, and its scores with the trainables as they are.
  [[nodiscard]] virtual bool has_validation() const = 0;
  [[nodiscard]] virtual Metrics evaluate() = 0;
  /// Writes what is trained, as it is now, to a folder.
  virtual void save(const std::filesystem::path& folder) = 0;
  /// What a resumed run must have in common with the first one, beside the options of every task and what the trainer knows of: where what
  /// learns started, the task as it was given, the validation data.
  [[nodiscard]] virtual RunIdentity identity() const = 0;
  /// Appends what `--dump-batches` shows of an example to the lists of its batch.
  virtual void describe(const Example& example, nlohmann::ordered_json& batch) const = 0;

  [[nodiscard]] const TrainArguments& args() const noexcept { return args_; }
  /// Writes what `--dump-initial` asks for.
  void dump_initial(const std::vector<Trainable>& trainables) const;

 private:
  void dump_batches(const std::filesystem::path& path, const Trainer& trainer) const;
  void plan_epochs(std::int64_t steps_per_epoch);
  [[nodiscard]] Trainer::Evaluate evaluator();
  [[nodiscard]] double sign() const { return metric_sign(); }
  void report(ProgressLine& line, const TrainingProgress& progress) const;
  void summarise(const Trainer& trainer, const TrainingResult& result) const;

  /// A line about the optimizer, before the first step.
  void announce() const;

  const TrainArguments& args_;
  double learning_rate_;  ///< at its peak
  std::int64_t steps_ = 0, steps_per_epoch_ = 0;
  Metrics last_metrics_;
  std::unique_ptr<JsonLog> log_;
};

}  // namespace preamble
