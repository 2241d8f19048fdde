#include "peft/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "engine/core/error.h"
#include "models/causal_lm.h"

namespace preamble {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

std::vector<ExampleLength> lengths_for(const LanguageModel& model, std::span<const Example> examples) {
  return dynamic_cast<const CausalLm*>(&model) != nullptr ? joint_lengths_of(examples) : lengths_of(examples);
}

Trainer::Trainer(const LanguageModel& model, std::vector<Example> examples, TrainerOptions options)
    : examples_(std::move(examples)), options_(std::move(options)), batcher_(lengths_for(model, examples_), options_.batches) {
  require<ConfigError>(options_.gradient_accumulation_steps > 0 && options_.max_steps >= 0,
                       "training: {} steps in {} parts were given; wanted positive numbers", options_.max_steps,
                       options_.gradient_accumulation_steps);
}

Trainer::Trainer(LanguageModel& model, const Method& method, std::vector<Example> examples, const MakeOptimizer& optimizer,
                 TrainerOptions options)
    : Trainer(model, std::move(examples), std::move(options)) {
  start(loss_model_for(model, examples_, options_.batches, options_.gradient_accumulation_steps), method, optimizer);
}

Trainer::Trainer(const HeadedEncoder& model, const Method& method, std::vector<Example> examples, const MakeOptimizer& optimizer,
                 TrainerOptions options)
    : Trainer(model.model, std::move(examples), std::move(options)) {
  start(loss_model_for(model, examples_, options_.batches, options_.gradient_accumulation_steps), method, optimizer);
}

void Trainer::start(std::unique_ptr<LossModel> model, const Method& method, const MakeOptimizer& optimizer) {
  TrainingStepOptions step = options_.step;
  step.accumulate = options_.gradient_accumulation_steps > 1;
  step_ = std::make_unique<TrainingStep>(std::move(model), method, step);
  optimizer_ = optimizer(step_->shapes());
  step_->optimize_with(*optimizer_);
  trainables_ = step_->trainables();
}

std::vector<LossBatch> Trainer::parts_of(std::span<const std::uint32_t> examples) const {
  const auto parts = static_cast<std::size_t>(options_.gradient_accumulation_steps);
  const std::size_t size = (examples.size() + parts - 1) / parts;
  std::vector<LossBatch> result;
  for (std::size_t begin = 0; begin < examples.size(); begin += size) {
    std::vector<const Example*> part;
    for (const auto index : examples.subspan(begin, std::min(size, examples.size() - begin))) part.push_back(&examples_[index]);
    result.push_back(step_->model().batch_of(part));
  }
  return result;
}

void Trainer::evaluate(const Evaluate& evaluate, TrainingProgress& progress) {
  const double metric = evaluate();
  progress.metric = metric;
  if (std::isnan(metric) || (state_.best_metric && metric <= *state_.best_metric)) {
    ++state_.evaluations_without_gain;
    return;
  }
  state_.best_metric = metric;
  state_.best_step = state_.step;
  state_.evaluations_without_gain = 0;
  step_->download(*optimizer_);
  best_.clear();
  for (const auto& trainable : trainables_) best_.push_back(trainable.value.clone());
}

void Trainer::save() {
  if (options_.output.empty()) return;
  step_->download(*optimizer_);
  state_.save(options_.output, trainables_, *optimizer_, best_);
}

TrainingResult Trainer::fit(const Evaluate& evaluate, const Report& report) {
  if (!options_.output.empty()) state_.identity = identity_of(options_, *step_, *optimizer_, examples_);
  if (options_.resume && std::filesystem::exists(TrainingState::path(options_.output))) {
    state_ = TrainingState::load(options_.output, state_.identity, trainables_, *optimizer_, best_);
    step_->upload(*optimizer_);
    batcher_.seek(state_.position);
  }
  TrainingResult result;
  std::vector<double> times;
  const auto start = Clock::now();
  const std::int64_t first = state_.step;
  bool stop = options_.early_stopping_patience > 0 && state_.evaluations_without_gain >= options_.early_stopping_patience;
  while (state_.step < options_.max_steps && !stop) {
    const auto begin = Clock::now();
    TrainingProgress progress;
    const auto parts = parts_of(batcher_.next());
    progress.learning_rate = options_.learning_rate.at(state_.step);
    progress.result = step_->update(parts, progress.learning_rate, state_.step);
    progress.step_seconds = since(begin);
    times.push_back(progress.step_seconds);
    state_.position = batcher_.position();
    ++state_.step;
    const bool last = state_.step == options_.max_steps;
    const bool evaluates = evaluate && (last || (options_.eval_steps > 0 && state_.step % options_.eval_steps == 0));
    if (evaluates) this->evaluate(evaluate, progress);
    stop = options_.early_stopping_patience > 0 && state_.evaluations_without_gain >= options_.early_stopping_patience;
    progress.step = state_.step;
    progress.max_steps = options_.max_steps;
    progress.seconds = since(start);
    progress.rows_per_second = static_cast<double>(progress.result.rows) / progress.step_seconds;
    progress.seconds_left =
        progress.seconds / static_cast<double>(state_.step - first) * static_cast<double>(options_.max_steps - state_.step);
    state_.last_loss = progress.result.loss;
    // first the log, then the state: a step that is killed in between is logged twice, never missing
    if (report) report(progress);
    if (last || stop || (options_.save_steps > 0 ? state_.step % options_.save_steps == 0 : evaluates)) save();
  }
  step_->download(*optimizer_);
  for (std::size_t i = 0; i < best_.size(); ++i) std::memcpy(trainables_[i].value.data(), best_[i].data(), best_[i].bytes());
  if (!best_.empty()) step_->upload(*optimizer_);
  result.steps = state_.step;
  result.last_loss = state_.last_loss;
  result.best_metric = state_.best_metric;
  result.best_step = state_.best_step;
  result.stopped_early = stop;
  result.seconds = std::accumulate(times.begin(), times.end(), 0.0);
  result.step_ms = 1000 * median(times);
  result.arena_bytes = step_->program().arena_bytes();
  for (const auto& trainable : trainables_) result.trainable_count += trainable.value.count();
  return result;
}

}  // namespace preamble
