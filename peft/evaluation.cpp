#include "peft/evaluation.h"

#include <algorithm>
#include <utility>

#include "data/metrics/classification.h"
#include "data/metrics/squad.h"
#include "engine/core/error.h"
#include "peft/ensemble.h"

namespace preamble {
namespace {

std::int64_t longest(const std::vector<Example>& examples) {
  std::size_t length = 1;
  for (const auto& example : examples) length = std::max(length, example.source.size());
  return static_cast<std::int64_t>(length);
}

}  // namespace

Evaluator::Evaluator(EncoderDecoder& model, const Method& method, const Tokenizer& tokenizer, const TextTask& task, std::vector<Example> examples,
                     std::vector<std::string> references, Options options)
    : task_(task), examples_(std::move(examples)), references_(std::move(references)), options_(std::move(options)) {
  require<ConfigError>(!examples_.empty(), "evaluation: no examples were given");
  if (task_.classifies()) classifier_ = std::make_unique<RankClassifier>(model, method, label_targets(task_, tokenizer), longest(examples_));
  if (!task_.classifies() || options_.generate) {
    generator_ = std::make_unique<TextGenerator>(model, method, tokenizer, options_.generation, longest(examples_));
  }
}

EvaluationResult Evaluator::run() {
  EvaluationResult result;
  if (generator_) generate(result);
  if (classifier_) classify(result);
  return result;
}

void Evaluator::classify(EvaluationResult& result) {
  const auto words = LabelMap::parse(task_.labels).words();
  // every member is a row of the same batches: one forward pass for the whole ensemble
  const auto members = static_cast<std::size_t>(options_.ensemble);
  std::vector<Example> expanded;
  for (const auto& example : examples_) {
    for (std::size_t member = 0; member < members; ++member) {
      expanded.push_back(example);
      if (members > 1) expanded.back().slot = static_cast<std::int32_t>(member);
    }
  }
  auto scores = classifier_->classify(expanded);
  std::vector<std::int32_t> predicted;
  std::vector<std::int32_t> gold;
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    std::vector<Vote> votes;
    for (std::size_t member = 0; member < members; ++member) {
      auto& said = scores[i * members + member];
      votes.push_back({said.best(), said.log_likelihoods});
    }
    predicted.push_back(majority_vote(votes));
    gold.push_back(examples_[i].label);
    result.scores.push_back(std::move(scores[i * members]));
  }
  result.metrics["accuracy"] = metrics::accuracy(predicted, gold);
  result.metrics["macro_f1"] = metrics::macro_f1(predicted, gold, static_cast<std::int32_t>(words.size()));
  result.predictions.clear();
  for (const auto label : predicted) result.predictions.push_back(words[static_cast<std::size_t>(label)]);
}

void Evaluator::generate(EvaluationResult& result) {
  result.predictions = generator_->generate(examples_);
  const auto count = static_cast<double>(examples_.size());
  if (task_.classifies()) {
    const LabelMap map = LabelMap::parse(task_.labels);
    double right = 0;
    for (std::size_t i = 0; i < examples_.size(); ++i) right += map.class_of_word(result.predictions[i]) == examples_[i].label ? 1 : 0;
    result.metrics["label_exact_match"] = right / count;
    return;
  }
  double exact = 0;
  double f1 = 0;
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    exact += metrics::exact_match(result.predictions[i], references_.at(i));
    f1 += metrics::token_f1(result.predictions[i], references_.at(i));
  }
  result.metrics["exact_match"] = exact / count;
  result.metrics["f1"] = f1 / count;
}

std::vector<std::string> references_of(const TextTask& task, const Table& table) {
  std::vector<std::string> references;
  if (task.classifies()) return references;
  const BoundTemplate target(Template(task.target), table);
  for (std::int64_t row = 0; row < table.rows(); ++row) references.push_back(target.render(row));
  return references;
}

}  // namespace preamble
