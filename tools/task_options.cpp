#include "tools/task_options.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/core/error.h"
#include "engine/core/warnings.h"

namespace preamble {

void TaskOptions::add_to(CLI::App& app) {
  app_ = &app;
  const auto group = [&](CLI::Option* option) { option->group("Task"); };
  group(app.add_option("--task-name", names_,
                       fmt::format("a task as T5 casts it, from its official files: {}; data files may be the benchmark's folder; train: "
                                   "several, separated by commas, are mixed",
                                   fmt::join(named_tasks(), ", ")))
            ->delimiter(','));
  group(app.add_flag("--task-tag", tag_, "--task-name: put the task's name in front of the input, as T5 does (Lester et al. leave it out)"));
  group(app.add_option("--input", given_.input, "template of the input, as 'sentence: {sentence}'"));
  group(app.add_option("--target", given_.target, "template of the target, as '{summary}'"));
  group(
      app.add_option("--labels", given_.labels,
                     "words of the classes: 0=negative,1=positive, or bare words; JSON where they hold commas or '=': [\"a, b\", \"c\"] or "
                     "{\"0\": \"a, b\"}; TOKEN_CLS: names of tags that are numbers in the file"));
  group(app.add_option("--label-column", given_.label_column,
                       "column of the label (default: label); TOKEN_CLS: field of the tags in JSON (default: ner_tags or tags)"));
  group(app.add_option(
      "--separator", separator_,
      "decoder-only models: text between input and target (default: the token that begins texts, with a space on each side)"));
  group(app.add_option("--max-source-length", given_.max_source_length,
                       "largest number of tokens of an input, end token included (default: 512)")
            ->check(CLI::PositiveNumber));
  group(app.add_option("--max-target-length", given_.max_target_length,
                       "largest number of tokens of a target, end token included (default: 128)")
            ->check(CLI::PositiveNumber));
  group(app.add_option("--format", format_,
                       "of the data files: jsonl, json, tsv, csv; e2e, webnlg, dart, whose records are linearised to {source} and whose "
                       "texts are {target}; default: by their extension")
            ->check(CLI::IsMember({"jsonl", "json", "tsv", "csv", "e2e", "webnlg", "dart"})));
  group(app.add_option("--columns", columns_, "names of the columns of a file without a header line")->delimiter(','));
}

namespace {

/// The part of a task that its name decides.
void name_task(TextTask& task, const std::string& name, bool tag) {
  const NamedTask known = named_task(name);
  task.name = name;
  task.input = (tag && !known.tag.empty() ? known.tag + " " : "") + known.input;
  task.target = known.target;
  task.labels = known.labels;
}

}  // namespace

TextTask TaskOptions::task(const std::optional<std::filesystem::path>& adapter, const std::filesystem::path& file) const {
  TextTask task;
  if (adapter) task = TextTask::read(*adapter).value_or(TextTask());
  const auto given = [&](const char* name) { return app_->count(name) > 0; };
  require<ConfigError>(!tag_ || given("--task-name"), "--task-tag: goes with --task-name");
  if (given("--task-name")) {
    require<ConfigError>(names_.size() == 1, "--task-name: {} tasks were given; wanted one", names_.size());
    require<ConfigError>(!given("--labels") && !given("--target") && !given("--label-column"),
                         "--task-name {}: decides labels and targets; wanted no --labels, --target, --label-column", names_.front());
    name_task(task, names_.front(), tag_);
  }
  require<ConfigError>(task.mixture.empty() || !task.name.empty(), "{}: trained on a mixture of {}; wanted --task-name with one of them",
                       adapter ? adapter->string() : "", fmt::join(task.mixture, ", "));
  task.mixture.clear();
  require<ConfigError>(task.name.empty() || (format_.empty() && columns_.empty()),
                       "--task-name {}: has its own file format; wanted no --format and no --columns", task.name);
  const bool fixed_columns =
      format_ == "e2e" || format_ == "webnlg" || format_ == "dart" || format_ == "pairs" ||
      (format_.empty() && (file.extension() == ".source" || file.extension() == ".xml" || std::filesystem::is_directory(file)));
  if (task.input.empty() && fixed_columns) {
    task.input = "{source}";
    task.target = "{target}";
  }
  if (given("--input")) task.input = given_.input;
  if (given("--target")) task.target = given_.target, task.labels.clear();
  if (given("--labels")) task.labels = given_.labels, task.target.clear();
  if (given("--label-column")) task.label_column = given_.label_column;
  if (given("--separator")) task.separator = separator_;
  if (given("--max-source-length")) task.max_source_length = given_.max_source_length;
  if (given("--max-target-length")) task.max_target_length = given_.max_target_length;
  require<ConfigError>(!task.input.empty(), "--input: not given{}; wanted a template such as 'sentence: {{sentence}}'",
                       adapter ? fmt::format(", and {} has no preamble_task.json", adapter->string()) : "");
  return task;
}

std::vector<TextTask> TaskOptions::tasks(const std::filesystem::path& file) const {
  if (names_.size() < 2) return {task(std::nullopt, file)};
  TaskOptions one = *this;
  std::vector<TextTask> all;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    require<ConfigError>(std::ranges::count(names_, names_[i]) == 1, "--task-name: {} was given twice; wanted different tasks", names_[i]);
    one.names_ = {names_[i]};
    all.push_back(one.task(std::nullopt, file));
  }
  return all;
}

Table TaskOptions::load(const TextTask& task, const std::filesystem::path& file, TaskUse use) const {
  return task.name.empty() ? load_table(file, table_options()) : load_named_task(named_task(task.name), file, use);
}

void report_truncation(const std::filesystem::path& file, const TruncationReport& report) {
  if (report.sources_cut + report.targets_cut == 0) return;
  warn(fmt::format("{}: {} inputs cut by {} tokens, {} targets cut by {} tokens", file.string(), report.sources_cut,
                   report.source_tokens_cut, report.targets_cut, report.target_tokens_cut));
}

}  // namespace preamble
