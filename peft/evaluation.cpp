#include "peft/evaluation.h"

#include <algorithm>
#include <map>
#include <utility>

#include "data/metrics/classification.h"
#include "data/metrics/score.h"
#include "data/metrics/squad.h"
#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "peft/ensemble.h"

namespace preamble {
namespace {

std::int64_t longest(const std::vector<Example>& examples) {
  std::size_t length = 1;
  for (const auto& example : examples) length = std::max(length, example.source.size());
  return static_cast<std::int64_t>(length);
}

}  // namespace

DistinctInputs DistinctInputs::of(std::span<const Example> examples) {
  DistinctInputs result;
  std::map<std::pair<std::vector<std::int32_t>, std::int32_t>, std::size_t> seen;
  for (const auto& example : examples) {
    const auto [found, added] = seen.try_emplace({example.source, example.slot}, result.examples.size());
    if (added) result.examples.push_back(example);
    result.index.push_back(found->second);
  }
  return result;
}

LossMeter::LossMeter(LanguageModel& model, const Method& method, std::vector<Example> examples, std::int64_t batch)
    : examples_(std::move(examples)), batch_(static_cast<std::size_t>(batch)) {
  BatchRules rules;
  rules.sequences = batch;
  loss_ = loss_model_for(model, examples_, rules, 1);
  Graph graph = model.parameters().graph();
  conditioning_ = method.condition(graph);
  loss_->build(graph, conditioning_, 0);
  session_ = std::make_unique<Session>(compile(std::move(graph)));
}

double LossMeter::run() {
  double sum = 0;
  std::int64_t labels = 0;
  for (std::size_t begin = 0; begin < examples_.size(); begin += batch_) {
    std::vector<const Example*> part;
    for (std::size_t i = begin; i < std::min(begin + batch_, examples_.size()); ++i) part.push_back(&examples_[i]);
    const LossBatch batch = loss_->batch_of(part);
    loss_->feed(*session_, batch, conditioning_, 1.0);
    session_->run();
    sum += static_cast<double>(session_->result<float>(LossModel::kLoss)[0]);
    labels += loss_->label_count(batch, conditioning_);
  }
  require<ConfigError>(labels > 0, "evaluation: {} examples without a target token; wanted one at least", examples_.size());
  return sum / static_cast<double>(labels);
}

Evaluator::Evaluator(LanguageModel& model, const Method& method, const Tokenizer& tokenizer, const TextTask& task, std::vector<Example> examples,
                     std::vector<std::string> references, Options options)
    : task_(task), examples_(std::move(examples)), references_(std::move(references)), options_(std::move(options)) {
  require<ConfigError>(!examples_.empty(), "evaluation: no examples were given");
  if (task_.classifies()) classifier_ = std::make_unique<RankClassifier>(model, method, label_targets(task_, tokenizer), longest(examples_));
  if (options_.loss) loss_ = std::make_unique<LossMeter>(model, method, examples_);
  if (task_.classifies() ? !options_.generate : !options_.texts) return;
  generator_ = std::make_unique<TextGenerator>(model, method, tokenizer, options_.generation, longest(examples_));
  distinct_ = DistinctInputs::of(examples_);
}

EvaluationResult Evaluator::run() {
  EvaluationResult result;
  if (generator_) generate(result);
  if (classifier_) classify(result);
  if (loss_) result.metrics["loss"] = loss_->run();
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
  std::vector<std::string> answers = generator_->generate(distinct_.examples);
  for (auto& answer : answers) answer = answer_of(task_, answer);
  for (const auto i : distinct_.index) result.predictions.push_back(answers[i]);
  const auto count = static_cast<double>(examples_.size());
  if (!task_.classifies()) {
    measure_texts(result, answers);
    return;
  }
  const LabelMap map = LabelMap::parse(task_.labels);
  double right = 0;
  for (std::size_t i = 0; i < examples_.size(); ++i) right += map.class_of_word(result.predictions[i]) == examples_[i].label ? 1 : 0;
  result.metrics["label_exact_match"] = right / count;
}

void Evaluator::measure_texts(EvaluationResult& result, const std::vector<std::string>& answers) const {
  double exact = 0;
  double f1 = 0;
  metrics::Corpus corpus(answers.size());
  for (std::size_t i = 0; i < answers.size(); ++i) corpus[i].hypothesis = answers[i];
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    exact += metrics::exact_match(result.predictions[i], references_.at(i));
    f1 += metrics::token_f1(result.predictions[i], references_.at(i));
    corpus[distinct_.index[i]].references.push_back(references_.at(i));
  }
  result.metrics["exact_match"] = exact / static_cast<double>(examples_.size());
  result.metrics["f1"] = f1 / static_cast<double>(examples_.size());
  if (options_.metrics.empty()) return;
  for (const auto& [name, value] : metrics::score(options_.metrics, corpus).values) result.metrics[name] = value;
}

std::vector<std::string> references_of(const TextTask& task, const Table& table) {
  std::vector<std::string> references;
  if (task.classifies()) return references;
  const BoundTemplate target(Template(task.target), table);
  for (std::int64_t row = 0; row < table.rows(); ++row) references.push_back(target.render(row));
  return references;
}

}  // namespace preamble
