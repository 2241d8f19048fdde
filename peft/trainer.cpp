#include "peft/trainer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <unistd.h>

#include "engine/core/error.h"
#include "engine/core/file.h"
#include "engine/core/hash.h"
#include "engine/core/stop_watch.h"
#include "models/causal_lm.h"

namespace preamble {
namespace {

/// A folder of this process that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(std::filesystem::temp_directory_path() / fmt::format("preamble-{}", ::getpid())) {
    std::filesystem::create_directories(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

bool TrainerOptions::evaluates_after(std::int64_t update) const noexcept {
  return update == max_steps || (eval_steps > 0 && update % eval_steps == 0);
}

bool TrainerOptions::stops_at(const TrainingState& state) const noexcept {
  return early_stopping_patience > 0 && state.evaluations_without_gain >= early_stopping_patience;
}

bool TrainerOptions::saves_at(const TrainingState& state, bool evaluated) const noexcept {
  return state.step == max_steps || stops_at(state) || (save_steps > 0 ? state.step % save_steps == 0 : evaluated);
}

TrainingResult TrainingResult::of(const TrainingState& state, bool stopped, const StepTimes& times, const Program& program) {
  return {.steps = state.step,
          .last_loss = state.last_loss,
          .best_metric = state.best_metric,
          .best_step = state.best_step,
          .stopped_early = stopped,
          .seconds = times.sum(),
          .step_ms = 1000 * times.median(),
          .arena_bytes = program.arena_bytes(),
          .trainable_count = 0};
}

std::vector<ExampleLength> lengths_for(const LanguageModel& model, std::span<const Example> examples) {
  const bool joint = dynamic_cast<const CausalLm*>(&model) != nullptr || dynamic_cast<const BlankModel*>(&model) != nullptr;
  return joint ? joint_lengths_of(examples) : lengths_of(examples);
}

std::int64_t part_count(const TrainerOptions& options) {
  require<ConfigError>(options.gradient_accumulation_steps > 0 && options.max_steps >= 0,
                       "training: {} steps in {} parts were given; wanted positive numbers", options.max_steps,
                       options.gradient_accumulation_steps);
  return options.gradient_accumulation_steps * (options.ranks != nullptr ? options.ranks->size() : 1);
}

Trainer::Trainer(LanguageModel& model, const Method& method, std::vector<Example> examples, const MakeOptimizer& optimizer,
                 TrainerOptions options)
    : Trainer(prepare(model, model, std::move(examples), options), method, optimizer, options) {}

Trainer::Trainer(const HeadedEncoder& model, const Method& method, std::vector<Example> examples, const MakeOptimizer& optimizer,
                 TrainerOptions options)
    : Trainer(prepare(model, model.model, std::move(examples), options), method, optimizer, options) {}

Trainer::Trainer(LanguageModel& model, const Method& method, std::unique_ptr<ShardedBatches> data, const MakeOptimizer& optimizer,
                 TrainerOptions options)
    : Trainer(prepare(model, std::move(data), options), method, optimizer, options) {}

Trainer::Trainer(const HeadedEncoder& model, const Method& method, std::unique_ptr<ShardedBatches> data, const MakeOptimizer& optimizer,
                 TrainerOptions options)
    : Trainer(prepare(model, std::move(data), options), method, optimizer, options) {}

Trainer::Trainer(Data data, const Method& method, const MakeOptimizer& optimizer, const TrainerOptions& options)
    : Trainer(std::move(data.model), method, std::move(data.batches), optimizer, options) {}

Trainer::Trainer(std::unique_ptr<LossModel> model, const Method& method, std::unique_ptr<BatchSource> data, const MakeOptimizer& optimizer,
                 TrainerOptions options)
    : options_(std::move(options)), data_(std::move(data)) {
  (void)part_count(options_);
  TrainingStepOptions step = options_.step;
  step.accumulate = options_.gradient_accumulation_steps > 1;
  step.ranks = options_.ranks;
  step_ = std::make_unique<TrainingStep>(std::move(model), method, step);
  optimizer_ = optimizer(step_->shapes());
  step_->optimize_with(*optimizer_);
  trainables_ = step_->trainables();
}

template <class Model>
Trainer::Data Trainer::prepare(Model& model, const LanguageModel& language_model, std::vector<Example> examples,
                               const TrainerOptions& options) {
  Data data;
  const std::int64_t parts = part_count(options);
  std::vector<ExampleLength> lengths = lengths_for(language_model, examples);
  auto batches = std::make_unique<ExampleBatches>(std::move(examples), std::move(lengths), options.batches);
  data.model = loss_model_for(model, batches->examples(), options.batches, parts);
  data.batches = std::move(batches);
  return data;
}

template <class Model>
Trainer::Data Trainer::prepare(Model& model, std::unique_ptr<ShardedBatches> batches, const TrainerOptions& options) {
  const auto [rules, parts] = batches->rules_of_parts(part_count(options));
  Data data;
  data.model = loss_model_for(model, batches->examples(), rules, parts);
  data.batches = std::move(batches);
  return data;
}

std::size_t Trainer::first_part() const noexcept {
  return options_.ranks != nullptr ? static_cast<std::size_t>(options_.gradient_accumulation_steps * options_.ranks->rank()) : 0;
}

std::vector<LossBatch> Trainer::parts_of(std::span<const Example* const> examples) const {
  auto spans = data_->cut(examples, static_cast<std::size_t>(part_count(options_)), first_part(),
                          static_cast<std::size_t>(options_.gradient_accumulation_steps));
  // empty parts count where others follow: masks of dropout are functions of a part's number
  while (!spans.empty() && spans.back().empty()) spans.pop_back();
  std::vector<LossBatch> parts;
  for (const auto& span : spans) parts.push_back(step_->model().batch_of(span));
  return parts;
}

void Trainer::evaluate(const Evaluate& evaluate, TrainingProgress& progress) {
  double metric = evaluate();
  // every rank has computed it; the root's number decides for all of them
  if (options_.ranks != nullptr) options_.ranks->broadcast(std::as_writable_bytes(std::span(&metric, 1)), "metric");
  progress.metric = metric;
  if (!state_.note(metric) || !options_.keep_best) return;
  step_->download(*optimizer_);
  best_.clear();
  for (const auto& trainable : trainables_) best_.push_back(trainable.value.clone());
}

void Trainer::save() {
  if (options_.output.empty() || (options_.ranks != nullptr && !options_.ranks->is_root())) return;
  step_->download(*optimizer_);
  state_.save(options_.output, trainables_, *optimizer_, best_);
}

void Trainer::compare_ranks() const {
  RunIdentity mine = state_.identity;
  // what a resumed run may change, but ranks of one run may not: all must meet in the same places
  mine["evaluation"] = fmt::format("every {} steps, {} without gain at most, {} is kept", options_.eval_steps, options_.early_stopping_patience,
                                   options_.keep_best ? "the best" : "the last");
  mine["resume"] = options_.resume ? "yes" : "no";
  for (const auto& trainable : trainables_) {
    const std::uint64_t hash = hash_words(kHashSeed, trainable.value.data(), trainable.value.bytes());
    mine["first values of " + trainable.name] = fmt::format("{:016x}", hash);
  }
  require_equal_on_ranks(*options_.ranks, mine);
}

void Trainer::resume() {
  const auto path = TrainingState::path(options_.output);
  if (options_.ranks == nullptr) {
    if (!std::filesystem::exists(path)) return;
    state_ = TrainingState::load(options_.output, state_.identity, trainables_, *optimizer_, best_);
  } else {
    // the other ranks may be on machines that do not see the root's folder
    std::vector<std::byte> bytes;
    const bool root = options_.ranks->is_root();
    if (root && std::filesystem::exists(path)) {
      const auto file = MappedFile::open(path);
      bytes.assign(file->bytes().begin(), file->bytes().end());
    }
    bytes = options_.ranks->broadcast_all(std::move(bytes), "training state");
    if (bytes.empty()) return;
    const TemporaryFolder copy;
    if (!root) write_atomically(TrainingState::path(copy.path()), std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    state_ = TrainingState::load(root ? options_.output : copy.path(), state_.identity, trainables_, *optimizer_, best_);
  }
  step_->upload(*optimizer_);
  data_->seek(state_.position);
}

TrainingResult Trainer::fit(const Evaluate& evaluate, const Report& report, const Checkpoint& checkpoint) {
  if (!options_.output.empty() || options_.ranks != nullptr) state_.identity = identity_of(options_, *step_, *optimizer_, *data_);
  if (options_.ranks != nullptr) compare_ranks();
  if (options_.resume) resume();
  StepTimes times;
  const StopWatch run;
  const std::int64_t first = state_.step;
  const auto hand_over = [&] {
    if (!checkpoint || options_.checkpoint_steps == 0 || state_.step % options_.checkpoint_steps != 0) return;
    step_->download(*optimizer_);
    checkpoint(state_.step);
  };
  if (state_.step == 0) hand_over();
  while (state_.step < options_.max_steps && !options_.stops_at(state_)) {
    const StopWatch update;
    TrainingProgress progress;
    const auto parts = parts_of(data_->next());
    progress.learning_rate = options_.learning_rate.at(state_.step);
    progress.result = step_->update(parts, progress.learning_rate, state_.step, first_part());
    progress.step_seconds = update.seconds();
    times.add(progress.step_seconds);
    state_.position = data_->position();
    ++state_.step;
    const bool evaluates = evaluate && options_.evaluates_after(state_.step);
    if (evaluates) this->evaluate(evaluate, progress);
    progress.step = state_.step;
    progress.max_steps = options_.max_steps;
    progress.seconds = run.seconds();
    progress.rows_per_second = static_cast<double>(progress.result.rows) / progress.step_seconds;
    progress.seconds_left =
        progress.seconds / static_cast<double>(state_.step - first) * static_cast<double>(options_.max_steps - state_.step);
    state_.last_loss = progress.result.loss;
    // first the log, then the state: a step that is killed in between is logged twice, never missing
    if (report) report(progress);
    hand_over();
    if (options_.saves_at(state_, evaluates)) save();
  }
  step_->download(*optimizer_);
  for (std::size_t i = 0; i < best_.size(); ++i) std::memcpy(trainables_[i].value.data(), best_[i].data(), best_[i].bytes());
  if (!best_.empty()) step_->upload(*optimizer_);
  TrainingResult result = TrainingResult::of(state_, options_.stops_at(state_), times, step_->program());
  for (const auto& trainable : trainables_) result.trainable_count += trainable.value.count();
  return result;
}

}  // namespace preamble
