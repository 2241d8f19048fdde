#include "peft/text_task.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

std::int32_t end_token(const Tokenizer& tokenizer) {
  const auto end = tokenizer.special().eos;
  require<ConfigError>(end.has_value(), "tokenizer: it has no end token; an encoder-decoder needs one");
  return *end;
}

}  // namespace

std::optional<TextTask> TextTask::read(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / kFile)) return std::nullopt;
  const JsonFile json = JsonFile::open(folder / kFile);
  TextTask task;
  task.input = json.get<std::string>("input");
  task.target = json.get<std::string>("target", "");
  task.labels = json.get<std::string>("labels", "");
  task.label_column = json.get<std::string>("label_column", task.label_column);
  task.max_source_length = json.get<std::int64_t>("max_source_length", task.max_source_length);
  task.max_target_length = json.get<std::int64_t>("max_target_length", task.max_target_length);
  return task;
}

void TextTask::write(const std::filesystem::path& folder) const {
  const nlohmann::ordered_json json = {{"input", input},
                                       {"target", target},
                                       {"labels", labels},
                                       {"label_column", label_column},
                                       {"max_source_length", max_source_length},
                                       {"max_target_length", max_target_length}};
  write_atomically(folder / kFile, json.dump(2) + "\n");
}

Tokenize tokenize_with(const Tokenizer& tokenizer) {
  return [&tokenizer](std::string_view text) {
    EncodeOptions options;
    options.add_special_tokens = false;
    return tokenizer.encode(TextInput(text), options).ids;
  };
}

std::vector<Example> examples_of(const TextTask& task, const Table& table, const Tokenizer& tokenizer, bool with_targets, TruncationReport& report) {
  ExampleRules rules{.source = Template(task.input)};
  require<ConfigError>(!with_targets || task.target.empty() != task.labels.empty(), "task: {} were given; wanted a target template or labels",
                       task.target.empty() ? "neither a target template nor labels" : "a target template and labels");
  if (with_targets && task.classifies()) rules.labels = LabelMap::parse(task.labels);
  if (with_targets && !task.classifies()) rules.target = Template(task.target);
  rules.label_column = task.label_column;
  rules.special.source_end = {end_token(tokenizer)};
  rules.special.target_end = {end_token(tokenizer)};
  rules.max_source_length = task.max_source_length;
  rules.max_target_length = task.max_target_length;
  return make_examples(table, rules, tokenize_with(tokenizer), report);
}

std::vector<std::vector<std::int32_t>> label_targets(const TextTask& task, const Tokenizer& tokenizer) {
  const Tokenize tokenize = tokenize_with(tokenizer);
  const auto unknown = tokenizer.special().unk;
  std::vector<std::vector<std::int32_t>> targets;
  const LabelMap map = LabelMap::parse(task.labels);
  for (const auto& word : map.words()) {
    auto ids = tokenize(word);
    require<ConfigError>(!ids.empty() && (!unknown || std::ranges::find(ids, *unknown) == ids.end()),
                         "label word '{}': the vocabulary cannot spell it; wanted another word", word);
    ids.push_back(end_token(tokenizer));
    targets.push_back(std::move(ids));
  }
  return targets;
}

}  // namespace preamble
