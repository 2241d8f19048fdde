#include "data/tasks/named_task.h"

#include <array>
#include <functional>
#include <limits>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/tasks/readers.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using enum TaskMetric;
using Read = std::function<void(Table&, const std::filesystem::path&, TaskUse)>;

struct Entry {
  NamedTask task;
  Read read;
};

constexpr std::string_view kMrqa = "mrqa/";
const std::string kQuestion = "question: {question} context: {context}";

Entry glue(NamedTask task, GlueLayout layout) {
  task.name = "glue/" + task.name;
  if (task.training_file.empty()) task.training_file = "train.tsv";
  if (task.evaluation_file.empty()) task.evaluation_file = "dev.tsv";
  return {std::move(task), [layout](Table& table, const std::filesystem::path& path, TaskUse) { read_glue(table, layout, path); }};
}

Entry superglue(NamedTask task) {
  const std::string name = task.name;
  task.name = "superglue/" + name;
  task.training_file = "train.jsonl";
  task.evaluation_file = task.folder.starts_with("AX") ? task.folder + ".jsonl" : "val.jsonl";
  return {std::move(task),
          [name](Table& table, const std::filesystem::path& path, TaskUse use) { read_superglue(table, name, path, use); }};
}

/// The text columns of most GLUE files are called what they are called here.
GlueLayout same_names(const std::vector<std::string>& columns, std::string label = "label") {
  GlueLayout layout;
  for (const auto& column : columns) layout.columns.push_back({{column}, column});
  layout.label = std::move(label);
  return layout;
}

/// TFDS calls both sentences of MNLI and of the diagnostic set premise and hypothesis.
GlueLayout premises(std::string label) {
  return {{{{"sentence2"}, "hypothesis"}, {{"sentence1"}, "premise"}}, std::move(label)};
}

std::vector<Entry> make_entries() {
  const std::string pair = "sentence1: {sentence1} sentence2: {sentence2}";
  const std::string inference = "hypothesis: {hypothesis} premise: {premise}";
  const std::string three = "entailment,neutral,contradiction";
  const std::string two = "entailment,not_entailment";
  const GlueLayout sentences = same_names({"sentence1", "sentence2"});
  GlueLayout cola = same_names({"sentence"});
  cola.without_header = {"source", "label", "mark", "sentence"};
  GlueLayout qqp = same_names({"question1", "question2"}, "is_duplicate");
  qqp.skips_broken_rows = true;
  GlueLayout stsb = same_names({"sentence1", "sentence2"}, "score");
  stsb.is_score = true;
  const GlueLayout mrpc = {{{{"#1 String", "sentence1"}, "sentence1"}, {{"#2 String", "sentence2"}, "sentence2"}}, "Quality"};
  std::vector<Entry> all;
  const auto add_glue = [&](NamedTask task, const GlueLayout& layout) { all.push_back(glue(std::move(task), layout)); };
  const auto add_superglue = [&](NamedTask task) { all.push_back(superglue(std::move(task))); };
  add_glue({"cola", "cola", "sentence: {sentence}", "0=unacceptable,1=acceptable", "", {matthews}, "CoLA", "", ""}, cola);
  add_glue({"sst2", "sst2", "sentence: {sentence}", "0=negative,1=positive", "", {accuracy}, "SST-2", "", ""}, same_names({"sentence"}));
  add_glue({"mrpc", "mrpc", pair, "0=not_equivalent,1=equivalent", "", {f1, accuracy}, "MRPC", "", ""}, mrpc);
  add_glue({"qqp", "qqp", "question1: {question1} question2: {question2}", "0=not_duplicate,1=duplicate", "", {f1, accuracy}, "QQP", "", ""},
           qqp);
  add_glue({"stsb", "stsb", pair, "", "{target}", {pearson, spearman}, "STS-B", "", ""}, stsb);
  add_glue({"mnli", "mnli", inference, three, "", {accuracy}, "MNLI", "", "dev_matched.tsv"}, premises("gold_label"));
  add_glue({"mnli_matched", "mnli", inference, three, "", {accuracy}, "MNLI", "", "dev_matched.tsv"}, premises("gold_label"));
  add_glue({"mnli_mismatched", "mnli", inference, three, "", {accuracy}, "MNLI", "", "dev_mismatched.tsv"}, premises("gold_label"));
  add_glue({"qnli", "qnli", "question: {question} sentence: {sentence}", two, "", {accuracy}, "QNLI", "", ""},
           same_names({"question", "sentence"}));
  add_glue({"rte", "rte", pair, two, "", {accuracy}, "RTE", "", ""}, sentences);
  add_glue({"wnli", "wnli", pair, "0=not_entailment,1=entailment", "", {accuracy}, "WNLI", "", ""}, sentences);
  add_glue({"ax", "mnli", inference, three, "", {matthews}, "AX", "", "diagnostic.tsv"}, premises("label"));
  add_superglue({"boolq", "boolq", "passage: {passage} question: {question}", "false=False,true=True", "", {accuracy}, "BoolQ", "", ""});
  add_superglue({"cb", "cb", inference, "entailment,contradiction,neutral", "", {macro_f1, accuracy}, "CB", "", ""});
  add_superglue({"copa", "copa", "choice1: {choice1} choice2: {choice2} premise: {premise} question: {question}", "0=choice1,1=choice2", "",
                 {accuracy}, "COPA", "", ""});
  add_superglue({"multirc", "multirc", "question: {question} answer: {answer} paragraph: {paragraph}", "0=False,1=True", "",
                 {f1a, group_match}, "MultiRC", "", ""});
  add_superglue({"record", "record", "query: {query} entities: {entities} passage: {passage}", "", "{target}", {exact_match, answer_f1},
                 "ReCoRD", "", ""});
  add_superglue({"rte", "rte", inference, two, "", {accuracy}, "RTE", "", ""});
  add_superglue({"wic", "wic", "sentence1: {sentence1} sentence2: {sentence2} word: {word}", "false=False,true=True", "", {accuracy}, "WiC",
                 "", ""});
  add_superglue({"wsc", "wsc:", "{text}", "", "{target}", {referent}, "WSC", "", ""});
  add_superglue({"axb", "rte", inference, two, "", {matthews}, "AX-b", "", ""});
  add_superglue({"axg", "rte", inference, two, "", {accuracy}, "AX-g", "", ""});
  all.push_back({{"squad", "", kQuestion, "", "{target}", {exact_match, answer_f1}, "squad", "train-v1.1.json", "dev-v1.1.json"},
                 read_squad_text});
  return all;
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = make_entries();
  return all;
}

Entry entry(std::string_view name) {
  for (const auto& known : entries()) {
    if (known.task.name == name) return known;
  }
  require<ConfigError>(name.starts_with(kMrqa) && name.size() > kMrqa.size(), "task '{}': unknown; wanted one of {}", name,
                       fmt::join(named_tasks(), " "));
  const std::string set(name.substr(kMrqa.size()));
  NamedTask task{std::string(name), "", kQuestion, "", "{target}", {exact_match, answer_f1}, "", set + ".jsonl.gz", set + ".jsonl.gz"};
  return {std::move(task), [](Table& table, const std::filesystem::path& path, TaskUse) { read_mrqa_text(table, path); }};
}

/// The official file below a folder: of the task's own folder, or of the benchmark's.
std::filesystem::path file_in(const NamedTask& task, const std::filesystem::path& path, TaskUse use) {
  if (!std::filesystem::is_directory(path)) return path;
  const std::string& name = use == TaskUse::training ? task.training_file : task.evaluation_file;
  const std::array<std::filesystem::path, 4> places = {path / name, path / (name + ".gz"), path / task.folder / name,
                                                       path / task.folder / (name + ".gz")};
  for (const auto& place : places) {
    if (std::filesystem::is_regular_file(place)) return place;
  }
  raise<FileError>("{}: the folder has neither {} nor {}; wanted the files of task {}", path.string(), name,
                   (std::filesystem::path(task.folder) / name).string(), task.name);
}

}  // namespace

std::vector<std::string> named_tasks() {
  std::vector<std::string> names;
  for (const auto& known : entries()) names.push_back(known.task.name);
  names.emplace_back("mrqa/NAME");
  return names;
}

NamedTask named_task(std::string_view name) { return entry(name).task; }

Table load_named_task(const NamedTask& task, const std::filesystem::path& path, TaskUse use) {
  const std::filesystem::path file = file_in(task, path, use);
  Table table(file.string());
  entry(task.name).read(table, file, use);
  require<FileError>(table.rows() > 0, "{}: no rows for task {}; wanted one at least", file.string(), task.name);
  require<FileError>(table.rows() < std::numeric_limits<std::uint32_t>::max(), "{}: {} rows; wanted fewer than 2^32", file.string(),
                     table.rows());
  return table;
}

}  // namespace preamble
