// A model with its tokenizer and adapters, as commands that answer inputs open them.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "data/tokenizers/tokenizer.h"
#include "models/generate/generation_config.h"
#include "models/language_model.h"
#include "peft/method.h"
#include "peft/text_task.h"
#include "tools/task_options.h"
#include "tools/weight_options.h"

namespace preamble {

struct LoadedModel {
  /// Throws FileError, ConfigError.
  LoadedModel(const std::filesystem::path& folder, const std::vector<std::filesystem::path>& adapters, const WeightOptions& weights);

  /// The task of the options, over the one beside the first adapter or the model, for this model.
  [[nodiscard]] TextTask task(const TaskOptions& options, const std::filesystem::path& file) const;
  /// Greedy, as long as the task's targets, unless the model's folder says otherwise.
  [[nodiscard]] GenerationConfig generation(const TextTask& task) const;

  std::filesystem::path folder;
  std::filesystem::path task_folder;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<LanguageModel> model;
  std::unique_ptr<Method> method;
};

}  // namespace preamble
