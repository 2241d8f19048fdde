#include "peft/text_task.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/blank_model.h"
#include "models/causal_lm.h"

namespace preamble {
namespace {

constexpr std::string_view kEndOfPiece = "<|endofpiece|>";

/// What stands around sources and targets.
struct Frames {
  SpecialTokens special;
  std::string target_prefix;
};

/// An encoder-decoder reads source and target as the tokenizer writes a text. A decoder-only model reads them as one text: the source has its
/// beginning and the separator, the target its end. A target ends with the end token, whether or not the tokenizer writes one.
Frames frames_of(const TextTask& task, const Tokenizer& tokenizer) {
  const TextFrame& text = tokenizer.frame();
  Frames frames;
  frames.special.source_begin = text.begin;
  if (task.blanks) {
    const auto end = tokenizer.token_to_id(kEndOfPiece);
    require<ConfigError>(end.has_value(), "tokenizer: it has no {}; a blank's text needs one", kEndOfPiece);
    frames.special.source_end = text.end;
    frames.special.target_end = {*end};
    frames.target_prefix = " ";
    return frames;
  }
  frames.special.target_end = text.end;
  if (text.end.empty()) {
    const auto end = tokenizer.special().end;
    require<ConfigError>(end.has_value(), "tokenizer: it has no end token; a target needs one");
    frames.special.target_end = {*end};
  }
  if (!task.separator) {
    frames.special.source_end = text.end;
    frames.special.target_begin = text.begin;
    return frames;
  }
  const bool spaced = task.separator->ends_with(' ');
  const std::string_view separator = std::string_view(*task.separator).substr(0, task.separator->size() - (spaced ? 1 : 0));
  if (!separator.empty()) frames.special.source_end = tokenize_with(tokenizer)(separator);
  if (spaced) frames.target_prefix = " ";
  return frames;
}

}  // namespace

std::optional<TextTask> TextTask::read(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / kFile)) return std::nullopt;
  const JsonFile json = JsonFile::open(folder / kFile);
  if (json.has("tasks")) return std::nullopt;  // of heads: see EncoderTask
  TextTask task;
  task.name = json.get<std::string>("name", "");
  task.mixture = json.get<std::vector<std::string>>("mixture", {});
  task.input = task.mixture.empty() ? json.get<std::string>("input") : "";
  task.target = json.get<std::string>("target", "");
  task.labels = json.get<std::string>("labels", "");
  task.label_column = json.get<std::string>("label_column", task.label_column);
  task.separator = json.find<std::string>("separator");
  task.blanks = json.get<bool>("blanks", task.blanks);
  task.max_source_length = json.get<std::int64_t>("max_source_length", task.max_source_length);
  task.max_target_length = json.get<std::int64_t>("max_target_length", task.max_target_length);
  task.text_prompt = json.get<bool>("text_prompt", false);
  task.calibrated = json.get<bool>("calibrated", false);
  return task;
}

void TextTask::write(const std::filesystem::path& folder) const {
  nlohmann::ordered_json json = {{"input", input},
                                       {"target", target},
                                       {"labels", labels},
                                       {"label_column", label_column},
                                       {"max_source_length", max_source_length},
                                       {"max_target_length", max_target_length}};
  if (!name.empty()) json["name"] = name;
  if (!mixture.empty()) json["mixture"] = mixture;
  if (separator) json["separator"] = *separator;
  if (text_prompt) json["text_prompt"] = true;
  if (calibrated) json["calibrated"] = true;
  if (blanks) json["blanks"] = true;
  write_atomically(folder / kFile, json.dump(2) + "\n");
}

Tokenize tokenize_with(const Tokenizer& tokenizer) {
  return [&tokenizer](std::string_view text) {
    EncodeOptions options;
    options.add_special_tokens = false;
    return tokenizer.encode(TextInput(text), options).ids;
  };
}

void fit_to_model(TextTask& task, const LanguageModel& model, const Tokenizer& tokenizer) {
  task.blanks = dynamic_cast<const BlankModel*>(&model) != nullptr;
  if (task.blanks) task.input = with_blank(task.input, tokenizer);
  if (dynamic_cast<const CausalLm*>(&model) == nullptr) {
    require<ConfigError>(!task.separator, "separator '{}': the model is no decoder-only model; wanted none", task.separator.value_or(""));
    return;
  }
  if (task.separator) return;
  const auto begin = tokenizer.special().begin ? tokenizer.special().begin : tokenizer.special().end;
  require<ConfigError>(begin.has_value(), "separator: none was given, and the tokenizer has no token that begins texts; wanted one");
  task.separator = fmt::format(" {} ", *tokenizer.id_to_token(*begin));
}

std::string with_blank(const std::string& input, const Tokenizer& tokenizer) {
  constexpr std::array<std::string_view, 4> kMasks = {"[gMASK]", "[MASK]", "[sMASK]", "<mask>"};
  std::string_view last;
  for (const auto mask : kMasks) {
    if (input.find(mask) != std::string::npos) return input;
    if (last.empty() && tokenizer.token_to_id(mask)) last = mask;
  }
  require<ConfigError>(!last.empty(), "tokenizer: it has no mask; wanted one of {}", fmt::join(kMasks, ", "));
  return fmt::format("{} {}", input, last);
}

std::string answer_of(const TextTask& task, const std::string& generated) {
  if (!task.separator && !task.blanks) return generated;
  constexpr const char* kSpace = " \t\r\n";
  const std::size_t begin = generated.find_first_not_of(kSpace);
  if (begin == std::string::npos) return "";
  return generated.substr(begin, generated.find_last_not_of(kSpace) + 1 - begin);
}

std::vector<Example> examples_of(const TextTask& task, const Table& table, const Tokenizer& tokenizer, bool with_targets, TruncationReport& report) {
  ExampleRules rules{.source = Template(task.input)};
  require<ConfigError>(!with_targets || task.target.empty() != task.labels.empty(), "task: {} were given; wanted a target template or labels",
                       task.target.empty() ? "neither a target template nor labels" : "a target template and labels");
  if (with_targets && task.classifies()) rules.labels = LabelMap::parse(task.labels);
  if (with_targets && !task.classifies()) rules.target = Template(task.target);
  rules.label_column = task.label_column;
  Frames frames = frames_of(task, tokenizer);
  rules.special = std::move(frames.special);
  rules.target_prefix = std::move(frames.target_prefix);
  rules.max_source_length = task.max_source_length;
  rules.max_target_length = task.max_target_length;
  return make_examples(table, rules, tokenize_with(tokenizer), report);
}

std::vector<std::int32_t> target_of(const TextTask& task, const Tokenizer& tokenizer, std::string_view text) {
  const Frames frames = frames_of(task, tokenizer);
  TruncationReport report;
  const auto special = static_cast<std::int64_t>(frames.special.target_begin.size() + frames.special.target_end.size());
  auto ids = encode_target(tokenize_with(tokenizer), frames.target_prefix + std::string(text), task.max_target_length - special, report);
  ids.insert(ids.begin(), frames.special.target_begin.begin(), frames.special.target_begin.end());
  ids.insert(ids.end(), frames.special.target_end.begin(), frames.special.target_end.end());
  return ids;
}

std::vector<std::vector<std::int32_t>> label_targets(const TextTask& task, const Tokenizer& tokenizer) {
  const Tokenize tokenize = tokenize_with(tokenizer);
  const auto unknown = tokenizer.special().unk;
  std::vector<std::vector<std::int32_t>> targets;
  const LabelMap map = LabelMap::parse(task.labels);
  const Frames frames = frames_of(task, tokenizer);
  for (const auto& word : map.words()) {
    auto ids = tokenize(frames.target_prefix + word);
    require<ConfigError>(!ids.empty() && (!unknown || std::ranges::find(ids, *unknown) == ids.end()),
                         "label word '{}': the vocabulary cannot spell it; wanted another word", word);
    ids.insert(ids.begin(), frames.special.target_begin.begin(), frames.special.target_begin.end());
    ids.insert(ids.end(), frames.special.target_end.begin(), frames.special.target_end.end());
    targets.push_back(std::move(ids));
  }
  return targets;
}

}  // namespace preamble
