#include "peft/slot_trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "data/batch_source.h"
#include "engine/core/error.h"
#include "engine/core/stop_watch.h"
#include "peft/run_identity.h"

namespace preamble {
namespace {

void require_fit(const std::vector<TrainerOptions>& options) {
  require<ConfigError>(!options.empty(), "training of slots: none were given; wanted one at least");
  for (const auto& slot : options) {
    const DropoutRates& dropout = slot.step.dropout;
    require<ConfigError>(slot.gradient_accumulation_steps == 1, "training of slots: batches in {} parts; wanted whole ones",
                         slot.gradient_accumulation_steps);
    require<ConfigError>(dropout.hidden == 0 && dropout.attention == 0 && dropout.prefix == 0,
                         "training of slots: dropout was given, whose masks depend on the rows' places in a batch; wanted none");
    require<ConfigError>(slot.ranks == nullptr, "training of slots: several processes; wanted one");
    require<ConfigError>(slot.step.task_rates.empty(), "training of slots: a mixture of tasks was given; wanted one task");
    require<ConfigError>(slot.batches.sequences > 0 && slot.batches.source_rows == 0 && slot.batches.target_rows == 0,
                         "training of slots: batches of so many rows; wanted so many sequences");
    require<ConfigError>(slot.batches.sequences == options.front().batches.sequences,
                         "training of slots: batches of {} and {} sequences; wanted one size", options.front().batches.sequences,
                         slot.batches.sequences);
  }
}

}  // namespace

SlotTrainer::SlotTrainer(LanguageModel& model, const Method& method, std::vector<Example> examples, const MakeOptimizer& optimizer,
                         std::vector<TrainerOptions> options)
    : examples_(std::move(examples)) {
  require_fit(options);
  const auto count = static_cast<std::int64_t>(options.size());
  TrainingStepOptions step = options.front().step;
  step.weighs_slots = true;
  step.dropout_seed.reset();
  slots_.reserve(options.size());
  step_ = std::make_unique<TrainingStep>(slots_loss_model_for(model, examples_, options.front().batches, count), method, step);
  const auto& trainables = step_->trainables();
  require<ConfigError>(std::ssize(trainables) == count, "training of {} slots: the method has {} tensors; wanted one a slot", count,
                       trainables.size());
  for (std::size_t i = 0; i < options.size(); ++i) {
    Slot& slot = slots_.emplace_back(Slot{.options = options[i],
                                          .batcher = Batcher(lengths_for(model, examples_), options[i].batches),
                                          .trainable = trainables[i],
                                          .optimizer = optimizer({trainables[i].value.dims()}),
                                          .update = nullptr,
                                          .loss = Tensor(Dtype::f64, {}),
                                          .state = {},
                                          .best = {},
                                          .failure = {},
                                          .stopped = false});
    slot.update = step_->update_of(i, *slot.optimizer, slot.loss);
    // the state names the tensor as the run of one prompt does
    slot.trainable.name = trainables[i].name.substr(trainables[i].name.find('.') == std::string::npos ? 0 : trainables[i].name.find('.') + 1);
    if (slot.options.output.empty()) continue;
    slot.state.identity = identity_of(slot.options, *step_, *slot.optimizer,
                                      ExampleBatches(examples_, lengths_for(model, examples_), slot.options.batches));
    if (!slot.options.resume || !std::filesystem::exists(TrainingState::path(slot.options.output))) continue;
    std::vector<Trainable> own = {slot.trainable};
    slot.state = TrainingState::load(slot.options.output, slot.state.identity, own, *slot.optimizer, slot.best);
    Residence& residence = step_->program().backend().residence();
    residence.upload(slot.trainable.value);
    for (auto [name, tensor] : slot.optimizer->state()) residence.upload(tensor);
    slot.batcher.seek(slot.state.position);
    slot.stopped = slot.options.stops_at(slot.state);
  }
}

void SlotTrainer::update_all(std::vector<SlotProgress>& done) {
  const StopWatch update;
  std::vector<Example> examples;
  std::vector<std::int32_t> sizes(slots_.size());
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].active()) continue;
    for (const auto index : slots_[i].batcher.next()) {
      examples.push_back(examples_[index]);
      examples.back().slot = static_cast<std::int32_t>(i);
      ++sizes[i];
    }
  }
  std::vector<const Example*> batch;
  for (const auto& example : examples) batch.push_back(&example);
  const auto results = step_->differentiate_slots(step_->model().batch_of(batch), sizes);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (sizes[i] == 0) continue;
    SlotProgress& made = done.emplace_back();
    made.slot = static_cast<std::int32_t>(i);
    made.progress.learning_rate = slot.options.learning_rate.at(slot.state.step);
    made.progress.result = results[i];
    const UpdateReport report = slot.update->run(made.progress.learning_rate);
    made.progress.result.gradient_norm = report.gradient_norm;
    if (!report.applied || !std::isfinite(results[i].loss)) {
      slot.failure = fmt::format("step {}: the loss is {}, the norm of the gradient {}; the slot was not updated", slot.state.step + 1,
                                 results[i].loss, report.gradient_norm);
      done.pop_back();
    }
  }
  const double seconds = update.seconds();
  for (auto& made : done) made.progress.step_seconds = seconds / static_cast<double>(done.size());
}

void SlotTrainer::download(Slot& slot) {
  Residence& residence = step_->program().backend().residence();
  residence.download(slot.trainable.value);
  for (auto [name, tensor] : slot.optimizer->state()) residence.download(tensor);
}

void SlotTrainer::save(Slot& slot) {
  if (slot.options.output.empty()) return;
  download(slot);
  slot.state.save(slot.options.output, {slot.trainable}, *slot.optimizer, slot.best);
}

void SlotTrainer::finish_step(Slot& slot, SlotProgress& done, const Evaluate& evaluate) {
  slot.times.add(done.progress.step_seconds);
  slot.state.position = slot.batcher.position();
  ++slot.state.step;
  slot.state.last_loss = done.progress.result.loss;
  const TrainerOptions& options = slot.options;
  const bool evaluates = evaluate && options.evaluates_after(slot.state.step);
  if (evaluates) {
    const double metric = evaluate(done.slot);
    done.progress.metric = metric;
    if (slot.state.note(metric)) {
      download(slot);
      slot.best = {slot.trainable.value.clone()};
    }
  }
  slot.stopped = options.stops_at(slot.state);
  done.progress.step = slot.state.step;
  done.progress.max_steps = options.max_steps;
  if (options.saves_at(slot.state, evaluates)) save(slot);
}

std::vector<TrainingResult> SlotTrainer::fit(const Evaluate& evaluate, const Report& report) {
  const StopWatch run;
  std::int64_t rounds = 0;
  while (std::ranges::any_of(slots_, &Slot::active)) {
    std::vector<SlotProgress> done;
    update_all(done);
    ++rounds;
    for (auto& made : done) {
      Slot& slot = slots_[static_cast<std::size_t>(made.slot)];
      finish_step(slot, made, evaluate);
      made.progress.seconds = run.seconds();
      made.progress.rows_per_second = static_cast<double>(made.progress.result.rows) / made.progress.step_seconds;
      made.progress.seconds_left =
          made.progress.seconds / static_cast<double>(rounds) * static_cast<double>(slot.options.max_steps - slot.state.step);
      if (report) report(made);
    }
  }
  std::vector<TrainingResult> results;
  for (auto& slot : slots_) {
    download(slot);
    if (!slot.best.empty()) {
      std::memcpy(slot.trainable.value.data(), slot.best.front().data(), slot.best.front().bytes());
      step_->program().backend().residence().upload(slot.trainable.value);
    }
    TrainingResult& result = results.emplace_back(TrainingResult::of(slot.state, slot.stopped, slot.times, program()));
    result.trainable_count = slot.trainable.value.count();
  }
  return results;
}

}  // namespace preamble
