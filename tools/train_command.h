// `preamble train`: from a model folder and a data set to an adapter (or a fine-tuned model folder).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/compile/rematerialise.h"
#include "peft/method_recipe.h"
#include "tools/optimizer_options.h"
#include "tools/task_options.h"
#include "tools/weight_options.h"

namespace preamble {

/// A method on a data set. `method` may be `full` too.
struct TrainArguments : MethodRecipe {
  std::int64_t trainable_layers = 0;  ///< full: the last so many layers alone; 0: everything
  std::filesystem::path train_file;
  std::optional<std::filesystem::path> validation_file;
  /// The same of each task of a mixture; the first ones are those above.
  std::vector<std::filesystem::path> train_files = {};
  std::vector<std::filesystem::path> validation_files = {};
  std::string mixture_rates = "proportional";  ///< see `mixture_rates`
  std::int64_t mixture_limit = 0;
  double mixture_temperature = 1;
  /// A training file in several, all of them; each process reads its own (see `ShardedBatches`). `train_file` is the first one of this process.
  std::vector<std::filesystem::path> train_shards = {};
  std::filesystem::path output_dir;
  std::optional<std::filesystem::path> merge;  ///< folder that gets the model with low-rank additions in its weights

  OptimizerOptions optimizer;
  std::int64_t max_steps = 0;  ///< 0: by epochs
  double num_train_epochs = 3;
  std::int64_t batch_size = 32;
  std::int64_t batch_tokens = 0;
  std::int64_t gradient_accumulation_steps = 1;
  std::string loss = "mean";
  double z_loss = 0;
  double dropout = 0;
  std::optional<double> attention_dropout = {};  ///< absent: `dropout`
  double prefix_dropout = 0;
  std::int64_t eval_steps = 0;
  std::int64_t save_steps = 0;
  std::int64_t checkpoint_steps = 0;  ///< copies of what is trained every so many updates; 0: none
  bool keep_best = true;              ///< end with the values of the best evaluation
  std::int64_t early_stopping_patience = 0;
  std::string metric;  ///< empty: accuracy for classes, else f1
  std::int64_t validation_samples = 0;
  std::int64_t train_samples = 0;
  std::optional<std::uint64_t> samples_seed = {};  ///< of the draws of training and validation rows; absent: `seed`
  bool resume = false;
  bool detect_anomaly = false;
  std::string memory_budget = "auto";
  std::string kept_values = "exact";
  WeightOptions weights = {};

  std::optional<std::filesystem::path> json;
  std::optional<std::filesystem::path> dump_batches;
  std::optional<std::filesystem::path> dump_initial;
};

/// Runs the command and returns the exit status. Throws Error.
int train_command(const TrainArguments& arguments, const TaskOptions& task);

}  // namespace preamble
