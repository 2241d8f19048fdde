#include "peft/training_step.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "models/building.h"

namespace preamble {
namespace {

std::shared_ptr<const Program> compile_loss(const LossModel& model, const Method& method, const TrainingStepOptions& options,
                                            Conditioning& conditioning) {
  Graph graph;
  if (options.dropout_seed) graph.input(kDropoutKey, {Dtype::i32, kNoRows, {2}});
  conditioning = method.condition(graph);
  conditioning.dropout = options.dropout;
  drop_prefixes(graph, conditioning);
  model.build(graph, conditioning, options.z_loss);
  CompileOptions compile_options;
  compile_options.loss = LossModel::kLoss;
  compile_options.memory = options.memory;
  return compile(std::move(graph), compile_options);
}

}  // namespace

TrainingStep::TrainingStep(std::unique_ptr<LossModel> model, const Method& method, const TrainingStepOptions& options)
    : model_(std::move(model)), options_(options), trainables_(method.trainables()), session_(compile_loss(*model_, method, options, conditioning_)) {
  for (auto& trainable : model_->trainables()) trainables_.push_back(std::move(trainable));
  const Parameters& parameters = model_->model().parameters();
  for (const auto& [name, tensor] : parameters.loaded()) {
    if (!parameters.is_frozen(name)) trainables_.push_back({name, tensor});
  }
  require<ConfigError>(!trainables_.empty(), "training: nothing is trainable");
}

std::vector<Dims> TrainingStep::shapes() const {
  std::vector<Dims> shapes;
  for (const auto& trainable : trainables_) shapes.push_back(trainable.value.dims());
  return shapes;
}

void TrainingStep::feed_dropout(std::int64_t step, std::size_t part) {
  if (!options_.dropout_seed || !session_.program().has_input(kDropoutKey)) return;
  const std::uint64_t seed = *options_.dropout_seed;
  const auto update = static_cast<std::uint64_t>(step);
  const auto bits = philox({static_cast<std::uint32_t>(update), static_cast<std::uint32_t>(update >> 32U), static_cast<std::uint32_t>(part), 0},
                           {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)});
  session_.set<std::int32_t>(kDropoutKey, std::array{static_cast<std::int32_t>(bits[0]), static_cast<std::int32_t>(bits[1])});
}

StepResult TrainingStep::differentiate(std::span<const LossBatch> parts, std::int64_t step) {
  StepResult result;
  for (const auto& part : parts) result.label_tokens += model_->label_count(part, conditioning_);
  require<ConfigError>(result.label_tokens > 0, "training: a batch without any label was given; wanted one at least");
  const double weight = options_.mean ? 1.0 / static_cast<double>(result.label_tokens) : 1.0;
  summed_ = parts.size() > 1;
  if (summed_ && sums_.empty()) {
    for (const auto& trainable : trainables_) sums_.emplace_back(static_cast<std::size_t>(trainable.value.count()));
  }
  for (auto& sum : sums_) std::ranges::fill(sum, 0.0F);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const LossBatch& part = parts[i];
    if (model_->label_count(part, conditioning_) == 0) continue;
    model_->feed(session_, part, conditioning_, weight);
    feed_dropout(step, i);
    session_.run();
    result.loss += static_cast<double>(session_.result<float>(LossModel::kLoss)[0]);
    result.rows += model_->rows(part, conditioning_);
    if (!summed_) continue;
    for (std::size_t t = 0; t < trainables_.size(); ++t) {
      const std::string name = "grad." + trainables_[t].name;
      if (!session_.program().graph().outputs().contains(name)) continue;
      const auto gradient = session_.result<float>(name);
      std::ranges::transform(gradient, sums_[t], sums_[t].begin(), std::plus<>());
    }
  }
  return result;
}

std::span<const float> TrainingStep::gradient(std::size_t i) const {
  const std::string name = "grad." + trainables_.at(i).name;
  if (!session_.program().graph().outputs().contains(name)) return {};
  if (summed_) return sums_[i];
  return session_.result<float>(name);
}

void TrainingStep::update(Optimizer& optimizer, double learning_rate, StepResult& result) {
  std::vector<ParameterUpdate> updates;
  for (std::size_t i = 0; i < trainables_.size(); ++i) updates.push_back({trainables_[i].value, gradient(i)});
  result.gradient_norm = gradient_norm(updates);
  optimizer.step(updates, learning_rate, clip_factor(result.gradient_norm, options_.max_grad_norm));
}

}  // namespace preamble
