#include "tools/loaded_model.h"

#include "engine/core/warnings.h"
#include "models/generate/generation_config_file.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"

namespace preamble {

LoadedModel::LoadedModel(const std::filesystem::path& path, const std::vector<std::filesystem::path>& adapters, const WeightOptions& weights)
    : folder(path), task_folder(adapters.empty() ? path : adapters.front()), tokenizer(load_tokenizer(path)) {
  model = open_model(path, weights.parameters());
  if (adapters.empty()) {
    method = std::make_unique<NoMethod>();
  } else {
    method = open_adapters(adapters, *model, warn);
  }
}

TextTask LoadedModel::task(const TaskOptions& options, const std::filesystem::path& file) const {
  TextTask task = options.task(task_folder, file);
  fit_to_model(task, *model, *tokenizer);
  return task;
}

GenerationConfig LoadedModel::generation(const TextTask& task) const {
  GenerationConfig config = read_generation_config(folder);
  config.do_sample = false;
  config.max_new_tokens = static_cast<int>(task.max_target_length);
  return config;
}

}  // namespace preamble
