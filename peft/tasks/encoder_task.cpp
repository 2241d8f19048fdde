#include "peft/tasks/encoder_task.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "data/labels.h"
#include "data/sequence_examples.h"
#include "data/superglue.h"
#include "data/tagged_file.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "peft/text_task.h"

namespace preamble {
namespace {

constexpr std::int64_t kSpanClasses = 2;

/// As `--labels` has them, or as a JSON list or object.
std::optional<std::string> labels_of(const JsonFile& json) {
  const auto found = json.value().find("labels");
  if (found == json.value().end() || !found->is_structured()) return json.find<std::string>("labels");
  return found->dump();
}

EncoderTask task_of(const JsonFile& json) {
  EncoderTask task;
  task.name = json.get<std::string>("name", task.name);
  task.kind = head_kind_of(json.get<std::string>("task"));
  task.max_length = json.get<std::int64_t>("max_length", task.max_length);
  task.metric = json.get<std::string>("metric", task.metric);
  task.text = json.get<std::string>("text", task.text);
  task.pair = json.get<std::string>("pair", task.pair);
  task.labels = labels_of(json).value_or(task.labels);
  task.label_column = json.get<std::string>("label_column", task.label_column);
  task.regression = json.get<bool>("regression", task.regression);
  task.pooler = pooler_of(json.get<std::string>("pooler", std::string(name_of(task.pooler))));
  task.choices = json.get<std::vector<std::string>>("choices", task.choices);
  task.verbalizer_loss = json.get<std::string>("verbalizer_loss", task.verbalizer_loss);
  require<FileError>(task.verbalizer_loss == "vocabulary" || task.verbalizer_loss == "labels",
                     "{}: field 'verbalizer_loss' is \"{}\"; wanted vocabulary or labels", json.where(), task.verbalizer_loss);
  task.superglue = json.get<std::string>("superglue", task.superglue);
  task.apply_superglue();
  task.layout = json.get<std::string>("layout", task.layout);
  require<FileError>(task.layout == "columns" || task.layout == "roles", "{}: field 'layout' is \"{}\"; wanted columns or roles",
                     json.where(), task.layout);
  task.word_column = json.get<int>("word_column", task.word_column);
  task.tag_column = json.get<int>("tag_column", task.tag_column);
  task.tags = json.get<std::vector<std::string>>("tags", task.tags);
  task.doc_stride = json.get<std::int64_t>("doc_stride", task.doc_stride);
  task.n_best_size = json.get<std::int64_t>("n_best_size", task.n_best_size);
  task.max_answer_length = json.get<std::int64_t>("max_answer_length", task.max_answer_length);
  task.version_2_with_negative = json.get<bool>("version_2_with_negative", task.version_2_with_negative);
  return task;
}

nlohmann::ordered_json json_of(const EncoderTask& task) {
  nlohmann::ordered_json json = {
      {"name", task.name}, {"task", name_of(task.kind)}, {"max_length", task.length()}, {"metric", task.chosen_metric()}};
  switch (task.kind) {
    case HeadKind::sequence:
    case HeadKind::masked_lm:
      json.update({{"text", task.text}, {"pair", task.pair}, {"label_column", task.label_column}});
      if (task.regression) json["regression"] = true;
      if (!task.superglue.empty()) json["superglue"] = task.superglue;
      if (!task.labels.empty()) json["labels"] = task.labels;
      if (task.pooler != Pooler::automatic) json["pooler"] = name_of(task.pooler);
      if (task.kind == HeadKind::masked_lm) json["verbalizer_loss"] = task.verbalizer_loss;
      break;
    case HeadKind::choice:
      json.update({{"text", task.text}, {"choices", task.choices}, {"label_column", task.label_column}});
      if (!task.superglue.empty()) json["superglue"] = task.superglue;
      if (!task.labels.empty()) json["labels"] = task.labels;
      if (task.pooler != Pooler::automatic) json["pooler"] = name_of(task.pooler);
      break;
    case HeadKind::tokens:
      json.update({{"layout", task.layout}, {"word_column", task.word_column}, {"tag_column", task.tag_column}, {"tags", task.tags}});
      if (task.label_column != EncoderTask().label_column) json["label_column"] = task.label_column;
      if (!task.labels.empty()) json["labels"] = task.labels;
      break;
    case HeadKind::span:
      json.update({{"doc_stride", task.doc_stride},
                   {"n_best_size", task.n_best_size},
                   {"max_answer_length", task.max_answer_length},
                   {"version_2_with_negative", task.version_2_with_negative}});
      break;
  }
  return json;
}

/// The items of the list `tasks`.
std::vector<JsonFile> items_of(const JsonFile& file) {
  const auto found = file.value().find("tasks");
  require<FileError>(found != file.value().end() && found->is_array() && !found->empty(), "{}: no list 'tasks'; wanted one task at least",
                     file.where());
  std::vector<JsonFile> items;
  for (std::size_t i = 0; i < found->size(); ++i)
    items.push_back(JsonFile::parse((*found)[i].dump(), fmt::format("{}: tasks[{}]", file.where(), i)));
  return items;
}

}  // namespace

std::int64_t EncoderTask::classes() const {
  if (kind == HeadKind::span) return kSpanClasses;
  if (kind == HeadKind::tokens) {
    require<ConfigError>(!tags.empty(), "task '{}': its tags are not known; wanted a training file or a list", name);
    return static_cast<std::int64_t>(tags.size());
  }
  if (regression || kind == HeadKind::choice) return 1;
  require<ConfigError>(!labels.empty(), "task '{}': its labels are not known; wanted a training file or a list", name);
  return static_cast<std::int64_t>(LabelMap::parse(labels).classes());
}

std::vector<std::string> EncoderTask::class_names() const {
  if (kind == HeadKind::tokens) return tags;
  if (kind != HeadKind::sequence || regression) return {};
  return LabelMap::parse(labels).words();
}

std::string EncoderTask::chosen_metric() const {
  if (!metric.empty()) return metric;
  const bool entities = tags.empty() || std::ranges::any_of(tags, marks_entity);
  if (kind == HeadKind::tokens) return entities ? "f1" : "accuracy";
  if (kind == HeadKind::span) return "f1";
  return regression ? "pearson" : "accuracy";
}

void EncoderTask::apply_superglue() {
  if (superglue.empty()) return;
  const SuperGlueTask& cast = superglue_task(superglue);
  text = "{text}";
  if (kind == HeadKind::choice) {
    require<ConfigError>(cast.choices, "SuperGLUE task '{}': no multiple choice; wanted copa, or SEQ_CLS", superglue);
    choices = {"{choice1}", "{choice2}"};
  } else {
    pair = cast.pairs ? "{pair}" : "";
    labels = cast.labels;
  }
  label_column = "label";
  if (metric.empty()) metric = cast.metric;
}

std::optional<std::vector<EncoderTask>> EncoderTask::read(const std::filesystem::path& folder) {
  const auto path = folder / TextTask::kFile;
  if (!std::filesystem::exists(path)) return std::nullopt;
  const JsonFile file = JsonFile::open(path);
  if (!file.has("tasks")) return std::nullopt;
  std::vector<EncoderTask> tasks;
  for (const auto& item : items_of(file)) tasks.push_back(task_of(item));
  return tasks;
}

void EncoderTask::write(const std::vector<EncoderTask>& tasks, const std::filesystem::path& folder) {
  nlohmann::ordered_json json;
  for (const auto& task : tasks) json["tasks"].push_back(json_of(task));
  write_atomically(folder / TextTask::kFile, json.dump(2) + "\n");
}

Head make_head(const EncoderTask& task, EncoderModel& model, std::uint64_t seed, std::string names) {
  if (task.kind == HeadKind::masked_lm) return {model, task.kind, {}, std::move(names)};
  return Head::fresh(model, task.kind, task.classes(), seed, std::move(names), task.pooler);
}

Head predicting_head(const EncoderTask& task, const Head& head, const Tokenizer& tokenizer) {
  if (task.kind != HeadKind::masked_lm) return head;
  return head.restricted_to(Verbalizer(LabelMap::parse(task.labels).words(), tokenizer).ids());
}

Head learning_head(const EncoderTask& task, const Head& head, const Tokenizer& tokenizer) {
  return task.verbalizer_loss == "labels" ? predicting_head(task, head, tokenizer) : head;
}

std::vector<EncoderTaskFiles> read_task_files(const std::filesystem::path& path) {
  const JsonFile file = JsonFile::open(path);
  std::vector<EncoderTaskFiles> tasks;
  for (const auto& item : items_of(file)) {
    EncoderTaskFiles& files = tasks.emplace_back();
    files.task = task_of(item);
    files.train_file = path.parent_path() / item.get<std::string>("train_file");
    if (const auto validation = item.find<std::string>("validation_file")) files.validation_file = path.parent_path() / *validation;
  }
  return tasks;
}

}  // namespace preamble
