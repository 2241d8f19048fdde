#include "peft/target_scorer.h"

#include <algorithm>
#include <utility>

#include "engine/core/error.h"
#include "engine/runtime/compile.h"

namespace preamble {

TargetScorer::TargetScorer(LanguageModel& model, const Method& method, std::vector<Example> examples, std::int64_t batch)
    : examples_(std::move(examples)), batch_(static_cast<std::size_t>(batch)) {
  require<ConfigError>(!examples_.empty(), "scores of targets: no examples were given; wanted one at least");
  BatchRules rules;
  rules.sequences = batch;
  loss_ = loss_model_for(model, examples_, rules, 1);
  Graph graph = model.parameters().graph();
  conditioning_ = method.condition(graph);
  loss_->build(graph, conditioning_, 0);
  session_ = std::make_unique<Session>(compile(std::move(graph)));
}

std::vector<double> TargetScorer::run() {
  std::vector<double> scores;
  for (std::size_t begin = 0; begin < examples_.size(); begin += batch_) {
    std::vector<const Example*> part;
    for (std::size_t i = begin; i < std::min(begin + batch_, examples_.size()); ++i) part.push_back(&examples_[i]);
    loss_->inputs(loss_->batch_of(part), conditioning_).feed(*session_);
    session_->run();
    const auto nll = session_->result<float>(LossModel::kNll);
    std::size_t row = 0;
    for (const Example* example : part) {
      double sum = 0;
      for (std::size_t t = 0; t < example->target.size(); ++t) sum -= static_cast<double>(nll[row++]);
      scores.push_back(sum);
    }
  }
  return scores;
}

}  // namespace preamble
