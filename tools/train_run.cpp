#include "tools/train_run.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "data/jsonl.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/distributed/communicator.h"
#include "models/top_layers.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;

std::string names_of(const TrainRun::Metrics& metrics) {
  std::string text;
  for (const auto& [name, value] : metrics) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

int TrainRun::run() {
  const bool root = world().is_root();
  if (root) prepare_output();
  log_ = std::make_unique<JsonLog>(root ? args_.json : std::nullopt, args_.resume);
  const auto trainer = make_trainer(options());
  if (args_.dump_batches && root) dump_batches(*args_.dump_batches, *trainer);
  announce();
  const std::uint64_t before = model().parameters().frozen_hash();
  auto line = std::make_unique<ProgressLine>();
  const TrainingResult result = trainer->fit(
      evaluator(), [&](const TrainingProgress& progress) { report(*line, progress); },
      [&](std::int64_t step) {
        if (root) save(args_.output_dir / fmt::format("checkpoint-{}", step));
      });
  line.reset();
  require<Error>(model().parameters().frozen_hash() == before, "training: a frozen tensor of {} has changed in memory; nothing was saved",
                 args_.model.string());
  if (root) save(args_.output_dir);
  summarise(*trainer, result);
  // no rank may end with status 0 while the root cannot save
  world().barrier("end of the run");
  return 0;
}

void TrainRun::announce() const {
  const OptimizerOptions& o = args_.optimizer;
  fmt::print(stderr, "{}: {}, learning rate {}{}, {}, {} steps\n", args_.method, o.optim, learning_rate_,
             o.learning_rate ? "" : " (default; --learning-rate sets it)", o.lr_scheduler_type, steps_);
}

Parameters::Options TrainRun::model_options() const {
  Parameters::Options options = args_.weights.parameters();
  require<ConfigError>(!full() || !is_quantised(options.weights), "--weights {}: goes with methods that leave the model frozen; "
                       "--method full was given", args_.weights.weights);
  require<ConfigError>(args_.trainable_layers == 0 || full(), "--trainable-layers {}: goes with --method full", args_.trainable_layers);
  if (full()) options.frozen = freeze_none;
  if (args_.trainable_layers > 0) options.frozen = freeze_below_top(checkpoint_source(args_.model)->names(), args_.trainable_layers);
  return options;
}

BatchRules TrainRun::batch_rules() const {
  BatchRules rules;
  rules.sequences = args_.batch_tokens > 0 ? 0 : args_.batch_size;
  rules.source_rows = args_.batch_tokens;
  // prompts are rows of the model, prefixes are not
  rules.source_extra = args_.method == "prompt" || args_.method == "ptuning" ? args_.init.tokens : 0;
  rules.seed = args_.seed;
  if (draws_by_rate()) rules.task_rates = task_rates();
  return rules;
}

void TrainRun::plan_steps(std::vector<ExampleLength> lengths) {
  plan_epochs(Batcher(std::move(lengths), batch_rules()).steps_per_epoch());
}

std::unique_ptr<ShardedBatches> TrainRun::plan_shards(std::vector<Shard> own) {
  require<ConfigError>(!args_.dump_batches || world().size() == 1, "--dump-batches: goes with --train-shards on one process; {} were started",
                       world().size());
  auto batches = std::make_unique<ShardedBatches>(std::move(own), args_.train_shards.size(), batch_rules(), world());
  plan_epochs(batches->steps_per_epoch());
  return batches;
}

void TrainRun::plan_epochs(std::int64_t steps_per_epoch) {
  steps_per_epoch_ = steps_per_epoch;
  steps_ = args_.max_steps > 0 ? args_.max_steps
                               : static_cast<std::int64_t>(std::ceil(static_cast<double>(steps_per_epoch_) * args_.num_train_epochs));
}

TrainerOptions TrainRun::options() const {
  TrainerOptions options;
  options.max_steps = steps_;
  options.batches = batch_rules();
  options.gradient_accumulation_steps = args_.gradient_accumulation_steps;
  options.learning_rate = args_.optimizer.schedule(steps_, steps_per_epoch_, learning_rate_);
  options.step.memory = Budget::parse(args_.memory_budget, args_.kept_values);
  options.step.mean = args_.loss == "mean";
  options.step.z_loss = args_.z_loss;
  // a sum counts all labels alike
  if (options.step.mean) options.step.task_rates = task_rates();
  options.step.dropout_seed = args_.seed;
  require<ConfigError>(args_.prefix_dropout == 0 || args_.method == "prefix",
                       "--prefix-dropout {}: goes with --method prefix; {} was given", args_.prefix_dropout, args_.method);
  const double attention_dropout = args_.attention_dropout.value_or(args_.dropout);
  options.step.dropout = {args_.dropout, attention_dropout, args_.prefix_dropout};
  options.step.max_grad_norm = args_.optimizer.max_grad_norm;
  options.eval_steps = args_.eval_steps;
  options.save_steps = args_.save_steps;
  options.checkpoint_steps = args_.checkpoint_steps;
  options.keep_best = args_.keep_best;
  options.early_stopping_patience = args_.early_stopping_patience;
  if (world().size() > 1) options.ranks = &world();
  options.output = args_.output_dir;
  options.resume = args_.resume;
  options.step.detect_anomaly = args_.detect_anomaly;
  options.identity = identity();
  options.identity["method"] =
      fmt::format("{}{}, tokens {}", args_.method, args_.trainable_layers > 0 ? fmt::format(" of {} layers", args_.trainable_layers) : "",
                  args_.init.tokens);
  options.identity["weights"] = args_.weights.description();
  // which values are rounded is the budget's to say
  if (args_.kept_values != "exact") options.identity["kept values"] = fmt::format("{}, memory budget {}", args_.kept_values, args_.memory_budget);
  if (args_.lora) {
    options.identity["lora"] = fmt::format("r {} alpha {} dropout {}{} targets [{}]", args_.lora->r, args_.lora->alpha, args_.lora->dropout,
                                           args_.lora->use_rslora ? " rslora" : "", fmt::join(args_.lora->target_modules, ","));
  }
  options.identity["seed"] = fmt::format("{}", args_.seed);
  return options;
}

void TrainRun::dump_batches(const std::filesystem::path& path, const Trainer& trainer) const {
  BatchSource& data = trainer.data();
  const BatchPosition start = data.position();
  write_jsonl(path, [&](const JsonSink& sink) {
    for (std::int64_t step = 0; step < steps_; ++step) {
      Json batch = Json::object();
      for (const Example* example : data.next()) describe(*example, batch);
      sink(batch);
    }
  });
  data.seek(start);
}

void TrainRun::dump_initial(const std::vector<Trainable>& trainables) const {
  if (!args_.dump_initial || !world().is_root()) return;
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& [name, value] : trainables) tensors.emplace_back(name, value);
  write_safetensors(*args_.dump_initial, tensors);
}

void TrainRun::prepare_output() const {
  std::error_code error;
  std::filesystem::create_directories(args_.output_dir, error);
  require<FileError>(!error, "{}: cannot create the folder: {}", args_.output_dir.string(), error.message());
  if (!args_.resume && std::filesystem::exists(TrainingState::path(args_.output_dir)))
    std::filesystem::remove(TrainingState::path(args_.output_dir));
}

Trainer::Evaluate TrainRun::evaluator() {
  if (!has_validation()) return {};
  return [this] {
    last_metrics_ = evaluate();
    const auto found = last_metrics_.find(metric());
    require<ConfigError>(found != last_metrics_.end(), "--metric: '{}' was given; this task has {}", metric(), names_of(last_metrics_));
    return sign() * found->second;
  };
}

void TrainRun::report(ProgressLine& line, const TrainingProgress& p) const {
  Json json = {{"step", p.step},
               {"loss", p.result.loss},
               {"learning_rate", p.learning_rate},
               {"grad_norm", p.result.gradient_norm},
               {"rows", p.result.rows},
               {"label_tokens", p.result.label_tokens},
               {"step_ms", 1000 * p.step_seconds},
               {"rows_per_second", p.rows_per_second},
               {"resident_bytes", resident_bytes()}};
  std::string text = fmt::format("step {}/{}  loss {:.4f}  {:.0f} tokens/s  {}  {} left", p.step, p.max_steps, p.result.loss,
                                 p.rows_per_second, human_bytes(resident_bytes()), duration(p.seconds_left));
  if (p.metric) {
    json["eval"] = last_metrics_;
    text += fmt::format("  {} {:.4f}", metric(), sign() * *p.metric);
  }
  log_->write(json);
  line.show(text, p.metric.has_value());
}

void TrainRun::summarise(const Trainer& trainer, const TrainingResult& result) const {
  const Program& program = trainer.step().program();
  const auto& loaded = model().parameters().loaded();
  std::int64_t all = 0;
  for (const auto& [name, tensor] : loaded) all += tensor.count();
  for (const auto& [name, tensor] : trainer.step().trainables()) all += loaded.contains(name) ? 0 : tensor.count();
  const double share = 100.0 * static_cast<double>(result.trainable_count) / static_cast<double>(all);
  Json json = {{"done", true},
               {"method", args_.method},
               {"steps", result.steps},
               {"last_loss", result.last_loss},
               {"trainable", result.trainable_count},
               {"trainable_percent", share},
               {"step_ms", result.step_ms},
               {"seconds", result.seconds},
               {"peak_resident_bytes", peak_resident_bytes()},
               {"arena_bytes", program.arena_bytes()},
               {"lower_bound_bytes", program.lower_bound_bytes()},
               {"output_dir", args_.output_dir.string()}};
  if (result.best_metric) json["best"] = {{"metric", metric()}, {"value", sign() * *result.best_metric}, {"step", result.best_step}};
  log_->write(json);
  fmt::print("{}: {} steps in {}, {:.1f} ms a step, loss {:.4f}{}\n", args_.method, result.steps, duration(result.seconds), result.step_ms,
             result.last_loss, result.stopped_early ? " (stopped early)" : "");
  fmt::print("trainable {} of {} parameters ({:.4f} %), activations {} (lower bound {}), peak memory {}\n", result.trainable_count, all,
             share, human_bytes(program.arena_bytes()), human_bytes(program.lower_bound_bytes()), human_bytes(peak_resident_bytes()));
  if (result.best_metric) fmt::print("best {} {:.4f} at step {}\n", metric(), sign() * *result.best_metric, result.best_step);
  fmt::print("saved to {}\n", args_.output_dir.string());
}

}  // namespace preamble
