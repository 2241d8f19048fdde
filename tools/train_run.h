// What every run of `preamble train` shares, whatever its task: the loop's options, progress, the check of the frozen weights, the summary.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/batching.h"
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
  explicit TrainRun(const TrainArguments& args) : args_(args) {}

  /// How the model is opened: all of it frozen, or trained.
  [[nodiscard]] Parameters::Options model_options() const;
  [[nodiscard]] bool full() const { return args_.method == "full"; }
  [[nodiscard]] BatchRules batch_rules() const;
  /// Updates of the whole run, given the lengths of the examples.
  [[nodiscard]] std::int64_t steps_for(std::vector<ExampleLength> lengths) const;

  [[nodiscard]] virtual LanguageModel& model() const = 0;
  /// The trainer of this task; `options` are complete.
  [[nodiscard]] virtual std::unique_ptr<Trainer> make_trainer(const TrainerOptions& options) = 0;
  /// Updates of the whole run.
  [[nodiscard]] virtual std::int64_t steps() const = 0;
  /// Name of the score that chooses the checkpoint.
  [[nodiscard]] virtual std::string metric() const = 0;
  /// Whether there is a validation file, and its scores with the trainables as they are.
  [[nodiscard]] virtual bool has_validation() const = 0;
  [[nodiscard]] virtual Metrics evaluate() = 0;
  virtual void save() = 0;
  /// What a resumed run must have in common with the first one, beside the loop's options.
  [[nodiscard]] virtual std::string special_fingerprint() const = 0;
  /// Before training.
  virtual void begin(const Trainer&) {}

  [[nodiscard]] const TrainArguments& args() const noexcept { return args_; }

 private:
  [[nodiscard]] TrainerOptions options() const;
  void prepare_output() const;
  [[nodiscard]] Trainer::Evaluate evaluator();
  /// The trainer takes the largest value for the best.
  [[nodiscard]] double sign() const { return metric() == "loss" || metric() == "ter" ? -1 : 1; }
  void report(ProgressLine& line, const TrainingProgress& progress) const;
  void summarise(const Trainer& trainer, const TrainingResult& result) const;

  const TrainArguments& args_;
  Metrics last_metrics_;
  std::unique_ptr<JsonLog> log_;
};

}  // namespace preamble
