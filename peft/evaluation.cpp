#include "peft/evaluation.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "data/metrics/classification.h"
#include "data/metrics/score.h"
#include "data/metrics/squad.h"
#include "engine/core/error.h"
#include "engine/distributed/shared_out.h"
#include "engine/runtime/compile.h"
#include "peft/ensemble.h"
#include "peft/text_prompt.h"

namespace preamble {
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
    : LossMeter(loss_model_for(model, examples, {.sequences = batch}, 1), method, examples, batch) {}

LossMeter::LossMeter(std::unique_ptr<LossModel> loss, const Method& method, std::vector<Example> examples, std::int64_t batch)
    : examples_(std::move(examples)), batch_(static_cast<std::size_t>(batch)), loss_(std::move(loss)) {
  Graph graph = loss_->model().parameters().graph();
  conditioning_ = method.condition(graph);
  loss_->build(graph, conditioning_, 0);
  session_ = std::make_unique<Session>(compile(std::move(graph)));
}

void LossMeter::use_slot(std::int32_t slot) {
  for (auto& example : examples_) example.slot = slot;
}

double LossMeter::run() {
  // batches are the same ones for any number of ranks, and so is the order of the sum
  const auto batch_loss = [&](std::size_t first) -> std::vector<double> {
    std::vector<const Example*> part;
    for (std::size_t i = first; i < std::min(first + batch_, examples_.size()); ++i) part.push_back(&examples_[i]);
    const BatchInputs inputs = loss_->inputs(loss_->batch_of(part), conditioning_);
    inputs.feed(*session_);
    session_->run();
    return {static_cast<double>(session_->result<float>(LossModel::kLoss)[0]), static_cast<double>(inputs.labels())};
  };
  const auto compute = [&](std::size_t begin, std::size_t end) {
    std::vector<std::vector<double>> losses;
    for (std::size_t i = begin; i < end; ++i) {
      losses.push_back(batch_loss(i * batch_));
      world().still_here();
    }
    return losses;
  };
  const std::size_t batches = (examples_.size() + batch_ - 1) / batch_;
  double sum = 0, labels = 0;
  for (const auto& loss : shared_out(world(), batches, batches, "losses of batches", compute)) {
    sum += loss[0];
    labels += loss[1];
  }
  require<ConfigError>(labels > 0, "evaluation: {} examples without a target token; wanted one at least", examples_.size());
  return sum / labels;
}

Evaluator::Evaluator(LanguageModel& model, const Method& method, const Tokenizer& tokenizer, const TextTask& task, std::vector<Example> examples,
                     std::vector<std::string> references, Options options)
    : task_(task), examples_(std::move(examples)), references_(std::move(references)), options_(std::move(options)) {
  require<ConfigError>(!examples_.empty(), "evaluation: no examples were given");
  scorer_ = options_.scorer ? options_.scorer : answer_scorer(task_, examples_, references_);
  if (task_.classifies()) {
    std::int64_t rows = longest_source(examples_);
    std::optional<Example> empty;
    if (task_.calibrated) empty = empty_input(task_, tokenizer);
    if (empty) rows = std::max(rows, std::ssize(empty->source));
    classifier_ = std::make_unique<RankClassifier>(model, method, label_targets(task_, tokenizer), rows);
    if (empty) classifier_->calibrate(*empty, options_.ensemble);
  }
  if (options_.loss) loss_ = std::make_unique<LossMeter>(model, method, examples_);
  if (task_.classifies() ? !options_.generate : !options_.texts) return;
  generator_ = std::make_unique<TextGenerator>(model, method, tokenizer, options_.generation, longest_source(examples_));
  distinct_ = DistinctInputs::of(examples_);
}

void Evaluator::use_slot(std::int32_t slot) {
  for (auto* examples : {&examples_, &distinct_.examples}) {
    for (auto& example : *examples) example.slot = slot;
  }
  if (loss_) loss_->use_slot(slot);
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
  result.predictions.clear();
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    std::vector<Vote> votes;
    for (std::size_t member = 0; member < members; ++member) {
      auto& said = scores[i * members + member];
      votes.push_back({said.best(), said.log_likelihoods});
    }
    result.predictions.push_back(words[static_cast<std::size_t>(majority_vote(votes))]);
    result.scores.push_back(std::move(scores[i * members]));
  }
  result.metrics.merge(scorer_(result.predictions));
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
  if (options_.scorer) {
    for (const auto& [name, value] : options_.scorer(result.predictions)) result.metrics["generated_" + name] = value;
  }
  const LabelMap map = LabelMap::parse(task_.labels);
  double right = 0;
  for (std::size_t i = 0; i < examples_.size(); ++i) right += map.class_of_word(result.predictions[i]) == examples_[i].label ? 1 : 0;
  result.metrics["label_exact_match"] = right / count;
}

void Evaluator::measure_texts(EvaluationResult& result, const std::vector<std::string>& answers) const {
  result.metrics.merge(scorer_(result.predictions));
  if (options_.metrics.empty()) return;
  metrics::Corpus corpus(answers.size());
  for (std::size_t i = 0; i < answers.size(); ++i) corpus[i].hypothesis = answers[i];
  for (std::size_t i = 0; i < examples_.size(); ++i) corpus[distinct_.index[i]].references.push_back(references_.at(i));
  for (const auto& [name, value] : metrics::score(options_.metrics, corpus).values) result.metrics[name] = value;
}

AnswerScorer answer_scorer(const TextTask& task, std::span<const Example> examples, std::vector<std::string> references) {
  if (task.classifies()) {
    std::vector<std::int32_t> gold;
    for (const auto& example : examples) gold.push_back(example.label);
    return [map = LabelMap::parse(task.labels), gold](std::span<const std::string> answers) {
      std::vector<std::int32_t> predicted;
      for (const auto& answer : answers) predicted.push_back(map.class_of_word(answer));
      return std::map<std::string, double>{{"accuracy", metrics::accuracy(predicted, gold)},
                                           {"macro_f1", metrics::macro_f1(predicted, gold, static_cast<std::int32_t>(map.classes()))}};
    };
  }
  return [references = std::move(references)](std::span<const std::string> answers) {
    double exact = 0, f1 = 0;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      exact += metrics::exact_match(answers[i], references.at(i));
      f1 += metrics::token_f1(answers[i], references.at(i));
    }
    const auto count = static_cast<double>(answers.size());
    return std::map<std::string, double>{{"exact_match", exact / count}, {"f1", f1 / count}};
  };
}

std::vector<std::string> references_of(const TextTask& task, const Table& table) {
  std::vector<std::string> references;
  if (task.classifies()) return references;
  const BoundTemplate target(Template(task.target), table);
  for (std::int64_t row = 0; row < table.rows(); ++row) references.push_back(target.render(row));
  return references;
}

}  // namespace preamble
