#include "tools/eval_command.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "data/jsonl.h"
#include "data/tasks/task_scores.h"
#include "engine/core/error.h"
#include "models/generate/generation_config_file.h"
#include "peft/evaluation.h"
#include "peft/text_prompt.h"
#include "tools/equal_inputs.h"
#include "tools/loaded_model.h"
#include "tools/prediction_file.h"
#include "tools/progress.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;

/// Probabilities of the classes alone.
Json probabilities(const ClassScores& scores, const std::vector<std::string>& words) {
  const double top = *std::ranges::max_element(scores.log_likelihoods);
  double sum = 0;
  for (const double score : scores.log_likelihoods) sum += std::exp(score - top);
  Json json;
  for (std::size_t c = 0; c < words.size(); ++c) json[words[c]] = std::exp(scores.log_likelihoods[c] - top) / sum;
  return json;
}

GenerationConfig generation_of(const LoadedModel& loaded, const TextTask& task, const GenerationOptions& options) {
  GenerationConfig config = loaded.generation(task);
  options.apply(config);
  return config;
}

/// What answers depend on beside the model and its input.
std::string of_task(const TextTask& task) {
  return fmt::format("input '{}', target '{}', labels '{}', calibrated {}", task.input, task.target, task.labels, task.calibrated);
}

}  // namespace

int eval_command(const EvalArguments& args, const TaskOptions& task_options, const GenerationOptions& generation) {
  const LoadedModel loaded(args.model, args.adapters, args.weights);
  const TextTask task = loaded.task(task_options, args.file);
  const Table table = task_options.load(task, args.file, TaskUse::evaluation);
  TruncationReport report;
  auto examples = examples_of(task, table, *loaded.tokenizer, true, report);
  report_truncation(args.file, report);
  Evaluator::Options options;
  options.generate = args.generate;
  options.generation = generation_of(loaded, task, generation);
  options.metrics = args.metrics;
  if (!task.name.empty()) options.scorer = scorer_of(task.name, table);
  options.loss = std::erase(options.metrics, "loss") > 0;
  options.ensemble = std::max<std::int32_t>(1, static_cast<std::int32_t>(args.adapters.size()));
  Evaluator evaluator(*loaded.model, *loaded.method, *loaded.tokenizer, task, examples, references_of(task, table), options);
  require_equal_inputs(*loaded.model, *loaded.method, {}, examples,
                       fmt::format("{}; generate {}, loss {}, metrics [{}]; {}", of_task(task), options.generate, options.loss,
                                   fmt::join(options.metrics, ","), describe(options.generation)));
  const EvaluationResult result = evaluator.run();
  if (args.output) {
    write_predictions(args.output, [&](const JsonSink& sink) {
      for (std::size_t i = 0; i < result.predictions.size(); ++i) sink(Json{{"row", i}, {"prediction", result.predictions[i]}});
    });
  }
  if (args.json) {
    Json json = {{"file", args.file.string()}, {"examples", examples.size()}};
    for (const auto& [name, value] : result.metrics) json[name] = value;
    fmt::print("{}\n", json.dump());
    return 0;
  }
  fmt::print("{}: {} examples\n", args.file.string(), examples.size());
  for (const auto& [name, value] : result.metrics) fmt::print("  {:<18} {:.4f}\n", name, value);
  return 0;
}

int predict_command(const EvalArguments& args, const TaskOptions& task_options, const GenerationOptions& generation) {
  const LoadedModel loaded(args.model, args.adapters, args.weights);
  const TextTask task = loaded.task(task_options, args.file);
  const Table table = task_options.load(task, args.file, TaskUse::evaluation);
  TruncationReport report;
  auto examples = examples_of(task, table, *loaded.tokenizer, false, report);
  report_truncation(args.file, report);
  if (args.distinct) examples = DistinctInputs::of(examples).examples;
  std::int64_t longest = longest_source(examples);
  const auto produce = [&](const JsonSink& sink) {
    if (task.classifies()) {
      const auto words = LabelMap::parse(task.labels).words();
      std::optional<Example> empty;
      if (task.calibrated) empty = empty_input(task, *loaded.tokenizer);
      if (empty) longest = std::max(longest, std::ssize(empty->source));
      RankClassifier classifier(*loaded.model, *loaded.method, label_targets(task, *loaded.tokenizer), longest);
      require_equal_inputs(*loaded.model, *loaded.method, {}, examples, of_task(task));
      if (empty) classifier.calibrate(*empty, 1);
      const auto scores = classifier.classify(examples, 0);
      for (std::size_t i = 0; i < scores.size(); ++i) {
        sink(Json{{"row", examples[i].row},
                  {"prediction", words[static_cast<std::size_t>(scores[i].best())]},
                  {"probabilities", probabilities(scores[i], words)}});
      }
      return;
    }
    const GenerationConfig config = generation_of(loaded, task, generation);
    TextGenerator generator(*loaded.model, *loaded.method, *loaded.tokenizer, config, longest);
    require_equal_inputs(*loaded.model, *loaded.method, {}, examples, fmt::format("{}; {}", of_task(task), describe(config)));
    ProgressLine line;
    const auto texts =
        generator.generate(examples, 0, [&](std::int64_t done) { line.show(fmt::format("{} of {}", done, examples.size())); });
    for (std::size_t i = 0; i < texts.size(); ++i) {
      sink(Json{{"row", examples[i * examples.size() / texts.size()].row}, {"prediction", answer_of(task, texts[i])}});
    }
  };
  write_predictions(args.output, produce);
  return 0;
}

int generate_command(const GenerateArguments& args, const GenerationOptions& generation) {
  const LoadedModel loaded(args.model, args.adapters, args.weights);
  std::vector<std::string> texts = args.texts;
  for (std::string line; args.texts.empty() && std::getline(std::cin, line);) texts.push_back(line);
  require<ConfigError>(!texts.empty(), "generate: no text was given; wanted --text or lines on standard input");
  std::vector<Example> examples;
  for (const auto& text : texts) {
    Example example;
    example.source = loaded.tokenizer->encode(text).ids;
    example.row = static_cast<std::int64_t>(examples.size());
    examples.push_back(std::move(example));
  }
  GenerationConfig config = read_generation_config(args.model);
  config.do_sample = false;
  generation.apply(config);
  TextGenerator generator(*loaded.model, *loaded.method, *loaded.tokenizer, config, longest_source(examples));
  const auto answers = generator.generate(examples, 0);
  const bool continues = dynamic_cast<const CausalLm*>(loaded.model.get()) != nullptr;
  for (std::size_t i = 0; i < answers.size(); ++i)
    fmt::print("{}{}\n", continues ? texts[i * texts.size() / answers.size()] : "", answers[i]);
  return 0;
}

}  // namespace preamble
