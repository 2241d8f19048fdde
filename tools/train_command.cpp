#include "tools/train_command.h"

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
#include "peft/make_method.h"
#include "peft/run_identity.h"
#include "peft/save_method.h"
#include "peft/save_model.h"
#include "peft/trainer.h"
#include "tools/train_run.h"

namespace preamble {
namespace {

/// Text-to-text tasks, of encoder-decoders and decoders.
class TextTrainRun final : public TrainRun {
 public:
  TextTrainRun(const TrainArguments& args, const TaskOptions& task_options)
      : TrainRun(args),
        task_(task_options.task(std::nullopt, args.train_file)),
        tokenizer_(load_tokenizer(args.model)),
        model_(open_model(args.model, model_options())) {
    require<ConfigError>(dynamic_cast<const EncoderModel*>(model_.get()) == nullptr,
                         "{}: an encoder; wanted --task to say what its head does", args.model.string());
    fit_to_model(task_, *model_, *tokenizer_);
    method_ = make_method();
    load(task_options);
  }

 private:
  [[nodiscard]] LanguageModel& model() const override { return *model_; }
  [[nodiscard]] bool has_validation() const override { return evaluator_ != nullptr; }
  [[nodiscard]] Metrics evaluate() override { return evaluator_->run().metrics; }
  [[nodiscard]] std::string metric() const override {
    return !args().metric.empty() ? args().metric : task_.classifies() ? "accuracy" : "f1";
  }

  [[nodiscard]] std::unique_ptr<Trainer> make_trainer(const TrainerOptions& options) override {
    return std::make_unique<Trainer>(
        *model_, *method_, std::move(examples_), [this](std::vector<Dims> shapes) { return args().optimizer.make(std::move(shapes)); },
        options);
  }

  void describe(const Example& example, nlohmann::ordered_json& batch) const override {
    batch["source"].push_back(example.source);
    batch["target"].push_back(example.target);
  }

  [[nodiscard]] std::unique_ptr<Method> make_method() const {
    require<ConfigError>(args().method != "head", "--method head: an encoder's; wanted --task with it");
    require<ConfigError>(!full() || !args().method_options.infix(), "--placement infix: goes with --method prompt, ptuning or prefix");
    if (full()) return std::make_unique<NoMethod>();
    auto method = preamble::make_method(args(), task_, *model_, *tokenizer_);
    if (args().dump_initial) {
      std::vector<std::pair<std::string, Tensor>> tensors;
      for (const auto& trainable : method->trainables()) tensors.emplace_back(trainable.name, trainable.value);
      write_safetensors(*args().dump_initial, tensors);
    }
    return method;
  }

  void load(const TaskOptions& task_options) {
    Table table = task_options.load(args().train_file);
    const std::uint64_t draw = args().samples_seed.value_or(args().seed);
    if (args().train_samples > 0) table = subsample(table, args().train_samples, draw);
    TruncationReport report;
    examples_ = examples_of(task_, table, *tokenizer_, true, report);
    report_truncation(args().train_file, report);
    plan_steps(lengths_for(*model_, examples_));
    if (!args().validation_file) return;
    Table validation = task_options.load(*args().validation_file);
    if (args().validation_samples > 0) validation = subsample(validation, args().validation_samples, draw);
    TruncationReport cut;
    auto dev = examples_of(task_, validation, *tokenizer_, true, cut);
    report_truncation(*args().validation_file, cut);
    validation_ = describe_content(dev);
    evaluator_ =
        std::make_unique<Evaluator>(*model_, *method_, *tokenizer_, task_, std::move(dev), references_of(task_, validation), evaluation());
  }

  [[nodiscard]] Evaluator::Options evaluation() const {
    Evaluator::Options options;
    options.generation = read_generation_config(args().model);
    options.generation.do_sample = false;
    options.generation.max_new_tokens = static_cast<int>(task_.max_target_length);
    options.loss = metric() == "loss";
    options.texts = !options.loss;
    if (options.texts && !task_.classifies() && metric() != "f1" && metric() != "exact_match") options.metrics = {metric()};
    return options;
  }

  [[nodiscard]] RunIdentity identity() const override {
    RunIdentity identity;
    identity["task"] = fmt::format("input '{}' target '{}'{} labels '{}'", task_.input, task_.target,
                                   task_.separator ? fmt::format(" behind '{}'", *task_.separator) : "", task_.labels);
    identity["start"] = full() ? "the model" : prompt_init_name(args(), task_);
    const bool special = args().method == "prefix" || args().method == "ptuning" || args().method_options.infix();
    if (special) identity["method options"] = args().method_options.describe();
    if (evaluator_ != nullptr) identity["validation data"] = validation_;
    return identity;
  }

  void save() override {
    if (full()) {
      save_model_folder(args().model, args().output_dir, model_->parameters());
    } else {
      save_method(args(), args().output_dir, *method_, *model_);
    }
    task_.write(args().output_dir);
  }

  TextTask task_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<LanguageModel> model_;
  std::unique_ptr<Method> method_;
  std::vector<Example> examples_;
  std::string validation_;  ///< number and content of the validation examples
  std::unique_ptr<Evaluator> evaluator_;
};

}  // namespace

int train_command(const TrainArguments& arguments, const TaskOptions& task) { return TextTrainRun(arguments, task).run(); }

}  // namespace preamble
