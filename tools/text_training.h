// What a training run on texts reads: the examples of one task or of a mixture, and their validation files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/examples.h"
#include "data/sharded_batches.h"
#include "data/sharded_batches.h"
#include "data/tokenizers/tokenizer.h"
#include "models/language_model.h"
#include "peft/evaluation.h"
#include "peft/run_identity.h"
#include "peft/text_task.h"
#include "tools/task_options.h"
#include "tools/train_command.h"

namespace preamble {

/// A validation file.
struct ValidationFile {
  TextTask task;
  std::vector<Example> examples;
  std::vector<std::string> references;
  AnswerScorer scorer;  ///< of a task with a name; else empty
  std::string content;  ///< `describe_content` of the examples
};

struct TextTraining {
  std::vector<TextTask> tasks;
  std::vector<Example> examples;  ///< `head` is the number of the task; none where there are shards
  std::vector<Shard> shards;      ///< of this process
  std::vector<double> rates;      ///< of a mixture, with sum 1; else empty
  std::vector<ValidationFile> validation;  ///< none, or one a task

  /// `score` for tasks with names, `accuracy` for classes, `f1`.
  [[nodiscard]] std::string default_metric() const;
  /// The scores of each validation file as those of the run: of a mixture in the names of their tasks, with the mean of those that all have.
  [[nodiscard]] std::map<std::string, double> joined(const std::vector<std::map<std::string, double>>& scores) const;
  /// The task whose labels a prompt may start from: those of all tasks.
  [[nodiscard]] TextTask labelling() const;
  /// Writes preamble_task.json: the task, or which tasks were mixed.
  void write_task(const std::filesystem::path& folder) const;
};

/// Rates of a mixture. `rule`: `proportional`: min(examples, limit)^(1/temperature) (Raffel et al. 2020, 3.5.2; limit 0: none); `equal`; or
/// numbers separated by commas, one a task. The rates have sum 1. Throws ConfigError.
[[nodiscard]] std::vector<double> mixture_rates(const std::string& rule, const std::vector<std::int64_t>& examples, std::int64_t limit,
                                                double temperature);

/// Reads the files of the arguments. Throws FileError, ConfigError.
[[nodiscard]] TextTraining read_text_training(const TrainArguments& args, const TaskOptions& files, const LanguageModel& model,
                                              const Tokenizer& tokenizer);

/// Scores a validation file by `metric` and by what the task has; `loss`: by the loss alone, without any text. `file` has no examples
/// afterwards.
[[nodiscard]] std::unique_ptr<Evaluator> make_evaluator(const TrainArguments& args, ValidationFile& file, LanguageModel& model,
                                                        const Method& method, const Tokenizer& tokenizer, const std::string& metric, bool loss);

/// What a resumed run must have in common with the first one.
[[nodiscard]] RunIdentity text_identity(const TrainArguments& args, const TextTraining& data);

}  // namespace preamble
