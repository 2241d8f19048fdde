#include "tools/train_command.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/jsonl.h"
#include "data/safetensors_writer.h"
#include "data/tokenizers/tokenizer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/generate/generation_config_file.h"
#include "models/open_model.h"
#include "peft/evaluation.h"
#include "peft/save_model.h"
#include "peft/trainer.h"
#include "tools/progress.h"
#include "tools/train_method.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;

/// Everything that training reads, and where its results go.
class TrainRun {
 public:
  TrainRun(const TrainArguments& args, const TaskOptions& task_options)
      : args_(args), task_(task_options.task(std::nullopt)), tokenizer_(load_tokenizer(args.model)), model_(open()) {
    fit_to_model(task_, *model_, *tokenizer_);
    method_ = make();
    load(task_options);
    prepare_output();
    log_ = std::make_unique<JsonLog>(args.json, args.resume);
  }

  int run() {
    Trainer trainer(
        *model_, *method_, std::move(examples_), [&](std::vector<Dims> shapes) { return args_.optimizer.make(std::move(shapes)); },
        options());
    if (args_.dump_batches) dump_batches(trainer);
    const std::uint64_t before = model_->parameters().frozen_hash();
    std::unique_ptr<ProgressLine> line = std::make_unique<ProgressLine>();
    const TrainingResult result = trainer.fit(evaluate(), [&](const TrainingProgress& progress) { report(*line, progress); });
    line.reset();
    require<Error>(model_->parameters().frozen_hash() == before, "training: a frozen tensor of {} has changed in memory; nothing was saved",
                   args_.model.string());
    save();
    summarise(trainer, result);
    return 0;
  }

 private:
  [[nodiscard]] bool full() const { return args_.method == "full"; }

  [[nodiscard]] std::unique_ptr<LanguageModel> open() const {
    Parameters::Options options;
    options.weights = args_.weights == "bf16" ? Dtype::bf16 : Dtype::f32;
    if (full()) options.frozen = freeze_none;
    return open_model(args_.model, options);
  }

  [[nodiscard]] std::unique_ptr<Method> make() const {
    if (full()) return std::make_unique<NoMethod>();
    auto method = make_method(args_, task_, *model_, *tokenizer_);
    if (args_.dump_initial) {
      std::vector<std::pair<std::string, Tensor>> tensors;
      for (const auto& trainable : method->trainables()) tensors.emplace_back(trainable.name, trainable.value);
      write_safetensors(*args_.dump_initial, tensors);
    }
    return method;
  }

  void load(const TaskOptions& task_options) {
    Table table = task_options.load(args_.train_file);
    if (args_.train_samples > 0) table = subsample(table, args_.train_samples, args_.seed);
    TruncationReport report;
    examples_ = examples_of(task_, table, *tokenizer_, true, report);
    report_truncation(args_.train_file, report);
    steps_ = args_.max_steps > 0 ? args_.max_steps : steps_of_epochs();
    if (!args_.validation_file) return;
    Table validation = task_options.load(*args_.validation_file);
    if (args_.validation_samples > 0) validation = subsample(validation, args_.validation_samples, args_.seed);
    TruncationReport cut;
    auto dev = examples_of(task_, validation, *tokenizer_, true, cut);
    report_truncation(*args_.validation_file, cut);
    Evaluator::Options evaluation;
    evaluation.generation = read_generation_config(args_.model);
    evaluation.generation.do_sample = false;
    evaluation.generation.max_new_tokens = static_cast<int>(task_.max_target_length);
    evaluation.loss = metric() == "loss";
    evaluation.texts = !evaluation.loss;
    if (evaluation.texts && !task_.classifies() && metric() != "f1" && metric() != "exact_match") evaluation.metrics = {metric()};
    evaluator_ =
        std::make_unique<Evaluator>(*model_, *method_, *tokenizer_, task_, std::move(dev), references_of(task_, validation), evaluation);
  }

  [[nodiscard]] std::int64_t steps_of_epochs() const {
    Batcher batcher(lengths_for(*model_, examples_), batch_rules());
    return static_cast<std::int64_t>(std::ceil(static_cast<double>(batcher.steps_per_epoch()) * args_.num_train_epochs));
  }

  [[nodiscard]] BatchRules batch_rules() const {
    BatchRules rules;
    rules.sequences = args_.batch_tokens > 0 ? 0 : args_.batch_size;
    rules.source_rows = args_.batch_tokens;
    // prompts are rows of the model, prefixes are not
    rules.source_extra = args_.method == "prompt" || args_.method == "ptuning" ? args_.init.tokens : 0;
    rules.seed = args_.seed;
    return rules;
  }

  [[nodiscard]] TrainerOptions options() const {
    TrainerOptions options;
    options.max_steps = steps_;
    options.batches = batch_rules();
    options.gradient_accumulation_steps = args_.gradient_accumulation_steps;
    options.learning_rate = args_.optimizer.schedule(steps_);
    options.step.memory = Budget::parse(args_.memory_budget);
    options.step.mean = args_.loss == "mean";
    options.step.z_loss = args_.z_loss;
    options.step.max_grad_norm = args_.optimizer.max_grad_norm;
    options.eval_steps = args_.eval_steps;
    options.save_steps = args_.save_steps;
    options.early_stopping_patience = args_.early_stopping_patience;
    options.output = args_.output_dir;
    options.resume = args_.resume;
    options.fingerprint = fingerprint();
    return options;
  }

  /// What a resumed run must have in common with the first one.
  [[nodiscard]] std::string fingerprint() const {
    const OptimizerOptions& o = args_.optimizer;
    const bool special = args_.method == "prefix" || args_.method == "ptuning";
    return fmt::format(
        "method {} init {} tokens {} optim {} lr {} {} warmup {} wd {} clip {} steps {} batch {}/{} parts {} loss {} z {} seed {} samples "
        "{} "
        "examples {} data {} weights {} input '{}' target '{}' labels '{}'{}",
        args_.method, full() ? "none" : prompt_init_name(args_, task_), args_.init.tokens, o.optim, o.learning_rate, o.lr_scheduler_type,
        o.warmup_steps, o.weight_decay, o.max_grad_norm, steps_, args_.batch_size, args_.batch_tokens, args_.gradient_accumulation_steps,
        args_.loss, args_.z_loss, args_.seed, args_.train_samples, examples_.size(), args_.train_file.filename().string(), args_.weights,
        task_.input, task_.target + (task_.separator ? "' behind '" + *task_.separator : ""), task_.labels, special ? " " + args_.method_options.fingerprint() : "");
  }

  void prepare_output() const {
    std::error_code error;
    std::filesystem::create_directories(args_.output_dir, error);
    require<FileError>(!error, "{}: cannot create the folder: {}", args_.output_dir.string(), error.message());
    if (!args_.resume && std::filesystem::exists(TrainingState::path(args_.output_dir)))
      std::filesystem::remove(TrainingState::path(args_.output_dir));
  }

  [[nodiscard]] std::string metric() const { return !args_.metric.empty() ? args_.metric : task_.classifies() ? "accuracy" : "f1"; }
  /// The trainer takes the largest value for the best.
  [[nodiscard]] double sign() const { return metric() == "loss" || metric() == "ter" ? -1 : 1; }

  [[nodiscard]] Trainer::Evaluate evaluate() {
    if (!evaluator_) return {};
    return [this] {
      last_metrics_ = evaluator_->run().metrics;
      const auto found = last_metrics_.find(metric());
      require<ConfigError>(found != last_metrics_.end(), "--metric: '{}' was given; this task has {}", metric(), names(last_metrics_));
      return sign() * found->second;
    };
  }

  static std::string names(const std::map<std::string, double>& metrics) {
    std::string text;
    for (const auto& [name, value] : metrics) text += (text.empty() ? "" : ", ") + name;
    return text;
  }

  void report(ProgressLine& line, const TrainingProgress& p) const {
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

  void dump_batches(Trainer& trainer) const {
    Batcher batcher(lengths_for(*model_, trainer.examples()), batch_rules());
    write_jsonl(*args_.dump_batches, [&](const JsonSink& sink) {
      for (std::int64_t step = 0; step < steps_; ++step) {
        Json batch = {{"source", Json::array()}, {"target", Json::array()}};
        for (const auto index : batcher.next()) {
          batch["source"].push_back(trainer.examples()[index].source);
          batch["target"].push_back(trainer.examples()[index].target);
        }
        sink(batch);
      }
    });
  }

  void save() {
    if (full()) {
      save_model_folder(args_.model, args_.output_dir, model_->parameters());
    } else {
      save_method(args_, *method_, *model_);
    }
    task_.write(args_.output_dir);
  }

  void summarise(const Trainer& trainer, const TrainingResult& result) const {
    const Program& program = trainer.step().program();
    std::int64_t backbone = 0;
    for (const auto& [name, tensor] : model_->parameters().loaded()) backbone += tensor.count();
    const std::int64_t all = backbone + (full() ? 0 : result.trainable_count);
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
    fmt::print("{}: {} steps in {}, {:.1f} ms a step, loss {:.4f}{}\n", args_.method, result.steps, duration(result.seconds),
               result.step_ms, result.last_loss, result.stopped_early ? " (stopped early)" : "");
    fmt::print("trainable {} of {} parameters ({:.4f} %), activations {} (lower bound {}), peak memory {}\n", result.trainable_count, all,
               share, human_bytes(program.arena_bytes()), human_bytes(program.lower_bound_bytes()), human_bytes(peak_resident_bytes()));
    if (result.best_metric) fmt::print("best {} {:.4f} at step {}\n", metric(), sign() * *result.best_metric, result.best_step);
    fmt::print("saved to {}\n", args_.output_dir.string());
  }

  const TrainArguments& args_;
  TextTask task_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<LanguageModel> model_;
  std::unique_ptr<Method> method_;
  std::vector<Example> examples_;
  std::int64_t steps_ = 0;
  std::unique_ptr<Evaluator> evaluator_;
  std::map<std::string, double> last_metrics_;
  std::unique_ptr<JsonLog> log_;
};

}  // namespace

int train_command(const TrainArguments& arguments, const TaskOptions& task) { return TrainRun(arguments, task).run(); }

}  // namespace preamble
