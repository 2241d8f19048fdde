#include "tools/eval_encoder.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"
#include "peft/head_file.h"
#include "peft/tasks/ensemble_predictor.h"
#include "peft/tasks/labelled_data.h"
#include "tools/equal_inputs.h"
#include "tools/prediction_file.h"

namespace preamble {
namespace {

/// Beside the adapter, or beside a fine-tuned model.
const std::filesystem::path& trained_folder(const EvalArguments& args) { return args.adapters.empty() ? args.model : args.adapters.front(); }

EncoderTask task_of(const EvalArguments& args, const EncoderOptions& options) {
  const auto kept = EncoderTask::read(trained_folder(args));
  EncoderTask task = options.task(kept ? std::optional(kept->front()) : std::nullopt);
  for (const auto& folder : args.adapters) {
    const auto other = EncoderTask::read(folder);
    require<ConfigError>(
        !other || !kept || (other->front().kind == kept->front().kind && other->front().class_names() == kept->front().class_names()),
        "{} and {}: adapters of different tasks; wanted the same labels in the same order", trained_folder(args).string(), folder.string());
  }
  return task;
}

/// A file with the model's logits for it.
struct Predicted {
  std::unique_ptr<LabelledData> data;
  std::vector<HeadLogits> logits;
};

/// Opens the model with its heads and reads the file; `body` gets the predictor and the examples.
template <class Body>
std::unique_ptr<LabelledData> with_predictor(const EvalArguments& args, const TaskOptions& files, const EncoderTask& task, bool with_labels,
                                             const Body& body) {
  const auto tokenizer = load_tokenizer(args.model);
  const auto model = open_encoder(args.model, args.weights.parameters());
  HeadedEncoder encoder = open_heads(*model, args.adapters, std::string(name_of(task.kind)), {}, task.pooler);
  require<ConfigError>(task.kind == HeadKind::masked_lm || encoder.heads.front().classes() == task.classes(),
                       "{}: a head of {} classes; the task '{}' has {}", trained_folder(args).string(), encoder.heads.front().classes(),
                       task.name, task.classes());
  require<ConfigError>(task.pooler == Pooler::automatic || encoder.heads.front().pooler() == task.pooler,
                       "--pooler {}: the head of {} was trained with {}", name_of(task.pooler), trained_folder(args).string(),
                       name_of(encoder.heads.front().pooler()));
  for (auto& head : encoder.heads) head = predicting_head(task, head, *tokenizer);
  std::unique_ptr<Method> method = std::make_unique<NoMethod>();
  if (!args.adapters.empty()) method = open_adapters(args.adapters, *model, warn);
  LoadOptions loading{.table = files.table_options(), .with_labels = with_labels};
  set_blanks(loading, *model);
  loading.pooling = encoder.pooling;
  auto data = load_labelled_data(task, args.file, *tokenizer, loading);
  report_data(args.file, *data);
  Predictor predictor(encoder, *method, longest_source(data->examples()));
  std::vector<Trainable> of_heads;
  for (const auto& head : encoder.heads) {
    for (auto& [name, tensor] : head.trainables()) of_heads.push_back({name, tensor});
  }
  require_equal_inputs(*model, *method, of_heads, data->examples(), fmt::format("task {}, labels '{}'", task.name, task.labels));
  body(predictor, data->examples());
  return data;
}

Predicted predicted(const EvalArguments& args, const TaskOptions& files, const EncoderTask& task, bool with_labels) {
  Predicted result;
  const std::size_t adapters = args.adapters.size();
  result.data = with_predictor(args, files, task, with_labels, [&](Predictor& predictor, const std::vector<Example>& examples) {
    result.logits = adapters > 1 ? predict_together(predictor, examples, adapters) : predictor.predict(examples);
  });
  return result;
}

}  // namespace

bool is_encoder_task(const EvalArguments& arguments, const EncoderOptions& options) {
  return options.given() || EncoderTask::read(trained_folder(arguments)).has_value();
}

MemberPredictions predict_members(const EvalArguments& args, const TaskOptions& files, const EncoderOptions& options) {
  MemberPredictions result;
  result.data = with_predictor(args, files, task_of(args, options), true, [&](Predictor& predictor, const std::vector<Example>& examples) {
    result.logits = predict_each(predictor, examples, args.adapters.size());
    result.shape = predictor.limits().heads.front();
  });
  return result;
}

int eval_encoder_command(const EvalArguments& args, const TaskOptions& files, const EncoderOptions& options) {
  const EncoderTask task = task_of(args, options);
  const Predicted result = predicted(args, files, task, true);
  if (args.output) write_predictions(args.output, [&](const JsonSink& sink) { result.data->predict(result.logits, sink); });
  const Metrics metrics = result.data->score(result.logits);
  const std::size_t examples = result.data->examples().size();
  if (args.json) {
    nlohmann::ordered_json json = {{"file", args.file.string()}, {"task", task.name}, {"examples", examples}};
    for (const auto& [name, value] : metrics) json[name] = value;
    fmt::print("{}\n", json.dump());
    return 0;
  }
  fmt::print("{}: {} examples\n", args.file.string(), examples);
  for (const auto& [name, value] : metrics) fmt::print("  {:<18} {:.4f}\n", name, value);
  return 0;
}

int predict_encoder_command(const EvalArguments& args, const TaskOptions& files, const EncoderOptions& options) {
  const Predicted result = predicted(args, files, task_of(args, options), false);
  const auto produce = [&](const JsonSink& sink) { result.data->predict(result.logits, sink); };
  write_predictions(args.output, produce);
  return 0;
}

}  // namespace preamble
