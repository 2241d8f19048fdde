#include "peft/tasks/choice_data.h"

#include <cstddef>
#include <utility>

#include <nlohmann/json.hpp>

#include "data/choice_examples.h"
#include "data/metrics/classification.h"
#include "engine/core/error.h"
#include "peft/text_task.h"

namespace preamble {
ChoiceData::ChoiceData(const EncoderTask& task, const std::filesystem::path& path, const Tokenizer& tokenizer, const LoadOptions& options) {
  require<ConfigError>(!task.text.empty(), "task '{}': no template of the text; wanted one such as {{premise}}", task.name);
  require<ConfigError>(task.choices.size() > 1,
                       "task '{}': {} template(s) of choices; wanted two at least, such as {{choice1}} and {{choice2}}", task.name,
                       task.choices.size());
  const bool in_blank = options.blanks && task.pooler == Pooler::automatic;
  ChoiceRules rules{.text = Template(in_blank ? with_blank(task.text, tokenizer) : task.text), .choices = {}};
  if (in_blank) rules.piece_start = options.blanks->start;
  for (const auto& choice : task.choices) rules.choices.emplace_back(choice);
  if (!task.labels.empty()) {
    rules.labels = LabelMap::parse(task.labels);
    labels_ = rules.labels->words();
    require<ConfigError>(labels_.size() == task.choices.size(), "task '{}': {} labels for {} choices; wanted as many", task.name,
                         labels_.size(), task.choices.size());
  }
  if (options.with_labels) rules.label_column = task.label_column;
  rules.max_length = task.length();
  rules.head = options.head;
  examples_ = choice_examples(table_of(task, path, options), rules, tokenizer, truncation_);
  if (options.with_labels) return;
  for (auto& example : examples_) example.label = 0;
}

Metrics ChoiceData::score(std::span<const HeadLogits> logits) const {
  require_all(logits);
  std::vector<std::int32_t> predicted, gold;
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    predicted.push_back(best(logits[i], 0, examples_[i].choices.size()));
    gold.push_back(examples_[i].label);
  }
  return {{"accuracy", metrics::accuracy(predicted, gold)}};
}

void ChoiceData::predict(std::span<const HeadLogits> logits, const JsonSink& sink) const {
  require_all(logits);
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    nlohmann::ordered_json json = {{"row", examples_[i].row}};
    const auto top = static_cast<std::size_t>(best(logits[i], 0, examples_[i].choices.size()));
    if (labels_.empty()) {
      json["prediction"] = top;
    } else {
      json["prediction"] = labels_[top];
    }
    json["scores"] = logits[i];
    json["probabilities"] = softmax(logits[i]);
    sink(json);
  }
}

}  // namespace preamble
