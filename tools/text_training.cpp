#include "tools/text_training.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/batch_source.h"
#include "data/labels.h"
#include "data/metrics/text.h"
#include "data/tasks/task_scores.h"
#include "engine/core/error.h"
#include "engine/distributed/communicator.h"
#include "models/generate/generation_config_file.h"
#include "peft/trainer.h"

namespace preamble {
namespace {

std::uint64_t draw_of(const TrainArguments& args) { return args.samples_seed.value_or(args.seed); }

/// The file of a task: its own, or the benchmarks' folder that all share.
const std::filesystem::path& file_of(const std::vector<std::filesystem::path>& files, std::size_t task, std::size_t tasks, const char* option) {
  require<ConfigError>(files.size() == tasks || (files.size() == 1 && std::filesystem::is_directory(files.front())),
                       "{}: {} were given for {} tasks; wanted one for each, or one folder that has the files of all", option, files.size(),
                       tasks);
  return files.size() == 1 ? files.front() : files[task];
}

Table drawn(Table table, std::int64_t samples, std::uint64_t seed) { return samples > 0 ? subsample(table, samples, seed) : table; }

ValidationFile read_validation(const TrainArguments& args, const TaskOptions& files, const TextTask& task, const std::filesystem::path& path,
                               const Tokenizer& tokenizer) {
  Table table = drawn(files.load(task, path, TaskUse::evaluation), args.validation_samples, draw_of(args));
  TruncationReport cut;
  ValidationFile file{task, examples_of(task, table, tokenizer, true, cut), references_of(task, table), {}, {}};
  file.content = describe_content(file.examples);
  report_truncation(path, cut);
  if (!task.name.empty()) file.scorer = scorer_of(task.name, std::move(table));
  return file;
}

std::vector<Example> read_training(const TrainArguments& args, const TaskOptions& files, const TextTask& task, const std::filesystem::path& path,
                                   const Tokenizer& tokenizer) {
  const Table table = drawn(files.load(task, path, TaskUse::training), args.train_samples, draw_of(args));
  TruncationReport report;
  auto examples = examples_of(task, table, tokenizer, true, report);
  report_truncation(path, report);
  return examples;
}

}  // namespace

std::string TextTraining::default_metric() const {
  const TextTask& task = tasks.front();
  return !task.name.empty() ? "score" : task.classifies() ? "accuracy" : "f1";
}

std::map<std::string, double> TextTraining::joined(const std::vector<std::map<std::string, double>>& scores) const {
  if (scores.size() == 1) return scores.front();
  std::map<std::string, double> all;
  for (const auto& [name, value] : scores.front()) {
    double sum = 0;
    const bool common = std::ranges::all_of(scores, [&](const auto& of_task) {
      const auto found = of_task.find(name);
      if (found != of_task.end()) sum += found->second;
      return found != of_task.end();
    });
    if (common) all[name] = sum / static_cast<double>(scores.size());
  }
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (const auto& [name, value] : scores[i]) all[tasks[i].name + "." + name] = value;
  }
  return all;
}

TextTask TextTraining::labelling() const {
  TextTask task = tasks.front();
  if (tasks.size() == 1) return task;
  std::vector<std::string> words;
  for (const auto& one : tasks) {
    if (!one.classifies()) continue;
    const LabelMap labels = LabelMap::parse(one.labels);
    for (const auto& word : labels.words()) {
      if (std::ranges::find(words, word) == words.end()) words.push_back(word);
    }
  }
  task.labels = words.empty() ? "" : LabelMap::spelled(words);
  return task;
}

void TextTraining::write_task(const std::filesystem::path& folder) const {
  TextTask task = tasks.front();
  if (tasks.size() > 1) {
    task.name = task.input = task.target = task.labels = "";
    for (const auto& one : tasks) task.mixture.push_back(one.name);
  }
  task.write(folder);
}

std::vector<double> mixture_rates(const std::string& rule, const std::vector<std::int64_t>& examples, std::int64_t limit, double temperature) {
  std::vector<double> rates;
  if (rule == "proportional") {
    for (const auto count : examples) {
      const std::int64_t counted = limit > 0 ? std::min(count, limit) : count;
      rates.push_back(std::pow(static_cast<double>(counted), 1 / temperature));
    }
  } else if (rule == "equal") {
    rates.assign(examples.size(), 1.0);
  } else {
    for (const auto& text : metrics::split_at(rule, ',')) {
      double rate = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rate);
      require<ConfigError>(error == std::errc() && end == text.data() + text.size() && rate >= 0 && std::isfinite(rate),
                           "--mixture-rates: '{}' was given; wanted proportional, equal, or a number >= 0 for each task", rule);
      rates.push_back(rate);
    }
    require<ConfigError>(rates.size() == examples.size(), "--mixture-rates: {} rates were given for {} tasks; wanted as many", rates.size(),
                         examples.size());
  }
  const double sum = std::accumulate(rates.begin(), rates.end(), 0.0);
  require<ConfigError>(sum > 0, "--mixture-rates: all are 0; wanted one above it");
  for (double& rate : rates) rate /= sum;
  return rates;
}

TextTraining read_text_training(const TrainArguments& args, const TaskOptions& files, const LanguageModel& model, const Tokenizer& tokenizer) {
  TextTraining data;
  const auto train_files = args.train_files.empty() ? std::vector{args.train_file} : args.train_files;
  auto validation_files = args.validation_files;
  if (validation_files.empty() && args.validation_file) validation_files = {*args.validation_file};
  data.tasks = files.tasks(train_files.front());
  require<ConfigError>(args.train_shards.empty() || data.tasks.size() == 1, "--train-shards: {} tasks were given; wanted one", data.tasks.size());
  std::vector<std::int64_t> counts;
  for (std::size_t i = 0; i < data.tasks.size(); ++i) {
    TextTask& task = data.tasks[i];
    fit_to_model(task, model, tokenizer);
    if (args.train_shards.empty()) {
      auto examples = read_training(args, files, task, file_of(train_files, i, data.tasks.size(), "--train-file"), tokenizer);
      counts.push_back(std::ssize(examples));
      for (auto& example : examples) {
        example.head = static_cast<std::int32_t>(i);
        data.examples.push_back(std::move(example));
      }
    }
    if (validation_files.empty()) continue;
    const auto& validation = file_of(validation_files, i, data.tasks.size(), "--validation-file");
    data.validation.push_back(read_validation(args, files, task, validation, tokenizer));
  }
  if (!args.train_shards.empty()) {
    const RankShare own = own_shards(args.train_shards.size(), world());
    for (std::size_t i = own.begin; i < own.end; ++i) {
      auto examples = read_training(args, files, data.tasks.front(), args.train_shards[i], tokenizer);
      auto lengths = lengths_for(model, examples);
      data.shards.push_back({std::move(examples), std::move(lengths)});
    }
  }
  if (data.tasks.size() > 1) data.rates = mixture_rates(args.mixture_rates, counts, args.mixture_limit, args.mixture_temperature);
  return data;
}

std::unique_ptr<Evaluator> make_evaluator(const TrainArguments& args, ValidationFile& file, LanguageModel& model, const Method& method,
                                          const Tokenizer& tokenizer, const std::string& metric, bool loss) {
  Evaluator::Options options;
  options.generation = read_generation_config(args.model);
  options.generation.do_sample = false;
  options.generation.max_new_tokens = static_cast<int>(file.task.max_target_length);
  options.loss = loss;
  options.texts = !loss;
  options.scorer = file.scorer;
  const bool own = file.scorer || metric == "f1" || metric == "exact_match";
  if (options.texts && !file.task.classifies() && !own) options.metrics = {metric};
  return std::make_unique<Evaluator>(model, method, tokenizer, file.task, std::move(file.examples), std::move(file.references),
                                     std::move(options));
}

RunIdentity text_identity(const TrainArguments& args, const TextTraining& data) {
  RunIdentity identity;
  for (const auto& task : data.tasks) {
    identity[data.tasks.size() > 1 ? "task " + task.name : "task"] =
        fmt::format("{}input '{}' target '{}'{} labels '{}'", task.name.empty() ? "" : task.name + " ", task.input, task.target,
                    task.separator ? fmt::format(" behind '{}'", *task.separator) : "", task.labels);
  }
  identity["start"] = args.method == "full" ? "the model" : prompt_init_name(args, data.labelling());
  const bool special = args.method == "prefix" || args.method == "ptuning" || args.method_options.infix();
  if (special) identity["method options"] = args.method_options.describe();
  for (const auto& file : data.validation)
    identity[data.tasks.size() > 1 ? "validation data of " + file.task.name : "validation data"] = file.content;
  return identity;
}

}  // namespace preamble
