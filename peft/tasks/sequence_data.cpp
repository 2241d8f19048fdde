#include "peft/tasks/sequence_data.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "data/metrics/classification.h"
#include "data/superglue.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr std::size_t kTwoClasses = 2;

/// Puts the token that begins a piece behind each text; what was to be predicted at a mask is predicted there.
void open_pieces(std::vector<Example>& examples, const BlankTokens& blanks) {
  for (auto& example : examples) {
    const auto tag = std::ranges::find_if(example.tags, [](std::int32_t one) { return one != kNoTag; });
    if (!example.types.empty()) example.types.push_back(0);
    if (!example.tags.empty()) {
      example.tags.push_back(tag == example.tags.end() ? kNoTag : *tag);
      std::fill(example.tags.begin(), example.tags.end() - 1, kNoTag);
    }
    example.source.push_back(blanks.start);
  }
}

}  // namespace

SequenceData::SequenceData(const EncoderTask& task, const std::filesystem::path& path, const Tokenizer& tokenizer,
                           const LoadOptions& options)
    : regression_(task.regression) {
  require<ConfigError>(!task.text.empty(), "task '{}': no template of the text; wanted one such as {{sentence}}", task.name);
  const Table table = table_of(task, path, options);
  SequenceRules rules{.text = Template(task.text)};
  if (!task.pair.empty()) rules.pair = Template(task.pair);
  rules.max_length = task.length();
  rules.label_column = task.label_column;
  rules.head = options.head;
  rules.regression = task.regression && options.with_labels;
  if (!task.regression) {
    LabelMap labels = LabelMap::parse(task.labels);
    words_ = labels.words();
    if (options.with_labels) rules.labels = std::move(labels);
  }
  examples_ = sequence_examples(table, rules, tokenizer, truncation_);
  if (!options.with_labels) {
    for (auto& example : examples_) example.label = 0;
  }
  if (!task.superglue.empty() && superglue_task(task.superglue).candidates) {
    const std::size_t group = table.column("group");
    const std::size_t text = table.column("candidate");
    for (const auto& example : examples_)
      candidates_.push_back({std::stoll(table.text(example.row, group)), table.text(example.row, text), example.label == 1});
  }
  if (task.kind == HeadKind::masked_lm) {
    Verbalizer(words_, tokenizer).label(examples_, table);
  }
  const bool opens = task.kind == HeadKind::masked_lm || options.pooling == Pooling::piece_start;
  if (options.blanks && opens) open_pieces(examples_, *options.blanks);
}

Metrics SequenceData::score(std::span<const HeadLogits> logits) const {
  require_all(logits);
  Metrics metrics;
  if (regression_) {
    std::vector<double> predicted, gold;
    for (std::size_t i = 0; i < examples_.size(); ++i) {
      predicted.push_back(static_cast<double>(logits[i].at(0)));
      gold.push_back(examples_[i].value);
    }
    const double pearson = metrics::pearson_correlation(predicted, gold);
    const double spearman = metrics::spearman_correlation(predicted, gold);
    return {{"pearson", pearson}, {"spearman", spearman}, {"pearson_spearman", (pearson + spearman) / 2}};
  }
  std::vector<std::int32_t> predicted, gold;
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    predicted.push_back(best(logits[i], 0, words_.size()));
    gold.push_back(examples_[i].label);
  }
  metrics["accuracy"] = metrics::accuracy(predicted, gold);
  metrics["macro_f1"] = metrics::macro_f1(predicted, gold, static_cast<std::int32_t>(words_.size()));
  metrics["mcc"] = metrics::matthews_correlation(predicted, gold);
  if (words_.size() == kTwoClasses) metrics["f1"] = metrics::binary_f1(predicted, gold);
  if (!candidates_.empty()) {
    std::vector<float> scores;
    for (const auto& of_example : logits) scores.push_back(of_example.at(1));
    metrics.merge(candidate_scores(candidates_, scores, predicted));
  }
  return metrics;
}

void SequenceData::predict(std::span<const HeadLogits> logits, const JsonSink& sink) const {
  require_all(logits);
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    nlohmann::ordered_json json = {{"row", examples_[i].row}};
    const HeadLogits& scores = logits[i];
    if (regression_) {
      json["prediction"] = scores.at(0);
    } else {
      json["prediction"] = words_[static_cast<std::size_t>(best(scores, 0, words_.size()))];
      const auto probabilities = softmax(scores);
      for (std::size_t c = 0; c < words_.size(); ++c) json["probabilities"][words_[c]] = probabilities[c];
    }
    sink(json);
  }
}

}  // namespace preamble
