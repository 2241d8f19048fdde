#include "tools/eval_command.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/jsonl.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "engine/core/warnings.h"
#include "models/generate/generation_config_file.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"
#include "peft/evaluation.h"
#include "tools/progress.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;

/// The task beside the first adapter, or beside a fine-tuned model.
std::optional<std::filesystem::path> task_folder(const EvalArguments& args) {
  return args.adapters.empty() ? args.model : args.adapters.front();
}

/// A model, its adapters and its tokenizer.
struct Loaded {
  Loaded(const std::filesystem::path& folder, const std::vector<std::filesystem::path>& adapters, const std::string& weights)
      : tokenizer(load_tokenizer(folder)) {
    Parameters::Options options;
    options.weights = weights == "bf16" ? Dtype::bf16 : Dtype::f32;
    model = open_model(folder, options);
    if (adapters.empty()) {
      method = std::make_unique<NoMethod>();
    } else {
      method = open_adapters(adapters, *model, warn);
    }
  }

  /// The task of the options, for this model.
  [[nodiscard]] TextTask task(const EvalArguments& args, const TaskOptions& options) const {
    TextTask task = options.task(task_folder(args), args.file);
    fit_to_model(task, *model, *tokenizer);
    return task;
  }

  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<LanguageModel> model;
  std::unique_ptr<Method> method;
};

GenerationConfig generation_for(const std::filesystem::path& model, const TextTask& task, const GenerationOptions& options) {
  GenerationConfig config = read_generation_config(model);
  config.do_sample = false;
  config.max_new_tokens = static_cast<int>(task.max_target_length);
  options.apply(config);
  return config;
}

/// Probabilities of the classes alone.
Json probabilities(const ClassScores& scores, const std::vector<std::string>& words) {
  const double top = *std::ranges::max_element(scores.log_likelihoods);
  double sum = 0;
  for (const double score : scores.log_likelihoods) sum += std::exp(score - top);
  Json json;
  for (std::size_t c = 0; c < words.size(); ++c) json[words[c]] = std::exp(scores.log_likelihoods[c] - top) / sum;
  return json;
}

/// The predictions alone, one a line, as scorers want them.
void write_lines(const std::filesystem::path& path, const std::function<void(const JsonSink&)>& produce) {
  std::string lines;
  produce([&](const Json& row) {
    std::string text = row.at("prediction");
    std::ranges::replace(text, '\n', ' ');
    lines += text + "\n";
  });
  write_atomically(path, lines);
}

}  // namespace

int eval_command(const EvalArguments& args, const TaskOptions& task_options, const GenerationOptions& generation) {
  const Loaded loaded(args.model, args.adapters, args.weights);
  const TextTask task = loaded.task(args, task_options);
  const Table table = task_options.load(args.file);
  TruncationReport report;
  auto examples = examples_of(task, table, *loaded.tokenizer, true, report);
  report_truncation(args.file, report);
  Evaluator::Options options;
  options.generate = args.generate;
  options.generation = generation_for(args.model, task, generation);
  options.metrics = args.metrics;
  options.loss = std::erase(options.metrics, "loss") > 0;
  options.ensemble = std::max<std::int32_t>(1, static_cast<std::int32_t>(args.adapters.size()));
  Evaluator evaluator(*loaded.model, *loaded.method, *loaded.tokenizer, task, examples, references_of(task, table), options);
  const EvaluationResult result = evaluator.run();
  if (args.output) {
    write_jsonl(*args.output, [&](const JsonSink& sink) {
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
  const Loaded loaded(args.model, args.adapters, args.weights);
  const TextTask task = loaded.task(args, task_options);
  const Table table = task_options.load(args.file);
  TruncationReport report;
  auto examples = examples_of(task, table, *loaded.tokenizer, false, report);
  report_truncation(args.file, report);
  if (args.distinct) examples = DistinctInputs::of(examples).examples;
  std::size_t longest = 1;
  for (const auto& example : examples) longest = std::max(longest, example.source.size());
  const auto produce = [&](const JsonSink& sink) {
    if (task.classifies()) {
      const auto words = LabelMap::parse(task.labels).words();
      RankClassifier classifier(*loaded.model, *loaded.method, label_targets(task, *loaded.tokenizer), static_cast<std::int64_t>(longest));
      const auto scores = classifier.classify(examples, 0);
      for (std::size_t i = 0; i < scores.size(); ++i) {
        sink(Json{{"row", examples[i].row},
                  {"prediction", words[static_cast<std::size_t>(scores[i].best())]},
                  {"probabilities", probabilities(scores[i], words)}});
      }
      return;
    }
    TextGenerator generator(*loaded.model, *loaded.method, *loaded.tokenizer, generation_for(args.model, task, generation),
                            static_cast<std::int64_t>(longest));
    ProgressLine line;
    const auto texts =
        generator.generate(examples, 0, [&](std::int64_t done) { line.show(fmt::format("{} of {}", done, examples.size())); });
    for (std::size_t i = 0; i < texts.size(); ++i) {
      sink(Json{{"row", examples[i * examples.size() / texts.size()].row}, {"prediction", answer_of(task, texts[i])}});
    }
  };
  if (args.output && args.output->extension() == ".txt") {
    write_lines(*args.output, produce);
  } else if (args.output) {
    write_jsonl(*args.output, produce);
  } else {
    write_jsonl(std::cout, produce);
  }
  return 0;
}

int generate_command(const GenerateArguments& args, const GenerationOptions& generation) {
  const Loaded loaded(args.model, args.adapters, args.weights);
  std::vector<std::string> texts = args.texts;
  for (std::string line; args.texts.empty() && std::getline(std::cin, line);) texts.push_back(line);
  require<ConfigError>(!texts.empty(), "generate: no text was given; wanted --text or lines on standard input");
  std::vector<Example> examples;
  std::size_t longest = 1;
  for (const auto& text : texts) {
    Example example;
    example.source = loaded.tokenizer->encode(text).ids;
    example.row = static_cast<std::int64_t>(examples.size());
    longest = std::max(longest, example.source.size());
    examples.push_back(std::move(example));
  }
  GenerationConfig config = read_generation_config(args.model);
  config.do_sample = false;
  generation.apply(config);
  TextGenerator generator(*loaded.model, *loaded.method, *loaded.tokenizer, config, static_cast<std::int64_t>(longest));
  const auto answers = generator.generate(examples, 0);
  const bool continues = dynamic_cast<const CausalLm*>(loaded.model.get()) != nullptr;
  for (std::size_t i = 0; i < answers.size(); ++i)
    fmt::print("{}{}\n", continues ? texts[i * texts.size() / answers.size()] : "", answers[i]);
  return 0;
}

}  // namespace preamble
