#include "tools/train_command.h"

#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/jsonl.h"
#include "data/tokenizers/tokenizer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/open_model.h"
#include "peft/make_method.h"
#include "peft/run_identity.h"
#include "peft/save_method.h"
#include "peft/save_model.h"
#include "peft/trainer.h"
#include "tools/text_training.h"
#include "tools/train_run.h"

namespace preamble {
namespace {

/// Text-to-text tasks, of encoder-decoders and decoders.
class TextTrainRun final : public TrainRun {
 public:
  TextTrainRun(const TrainArguments& args, const TaskOptions& files)
      : TrainRun(args), tokenizer_(load_tokenizer(args.model)), model_(open_model(args.model, model_options())) {
    const auto* encoder = dynamic_cast<const EncoderModel*>(model_.get());
    require<ConfigError>(encoder == nullptr || encoder->blanks() != nullptr,
                         "{}: an encoder; wanted --task to say what its head does", args.model.string());
    data_ = read_text_training(args, files, *model_, *tokenizer_);
    require<UnsupportedError>(encoder == nullptr || data_.tasks.size() == 1,
                              "--task-name: {} tasks for a model that fills blanks, whose labels have one weight; wanted one task", data_.tasks.size());
    method_ = make_method();
    if (data_.shards.empty()) {
      plan_steps(lengths_for(*model_, data_.examples));
    } else {
      sharded_ = plan_shards(std::move(data_.shards));
    }
    const bool loss = metric() == "loss";
    for (auto& file : data_.validation)
      evaluators_.push_back(make_evaluator(args, file, *model_, *method_, *tokenizer_, metric(), loss));
  }

 private:
  [[nodiscard]] LanguageModel& model() const override { return *model_; }
  [[nodiscard]] bool has_validation() const override { return !evaluators_.empty(); }
  [[nodiscard]] Metrics evaluate() override {
    std::vector<Metrics> scores;
    for (auto& evaluator : evaluators_) scores.push_back(evaluator->run().metrics);
    return data_.joined(scores);
  }
  [[nodiscard]] std::string metric() const override { return !args().metric.empty() ? args().metric : data_.default_metric(); }
  [[nodiscard]] std::vector<double> task_rates() const override { return data_.rates; }

  [[nodiscard]] std::unique_ptr<Trainer> make_trainer(const TrainerOptions& options) override {
    const Trainer::MakeOptimizer optimizer = [this](std::vector<Dims> shapes) { return args().optimizer.make(std::move(shapes)); };
    if (sharded_) return std::make_unique<Trainer>(*model_, *method_, std::move(sharded_), optimizer, options);
    return std::make_unique<Trainer>(*model_, *method_, std::move(data_.examples), optimizer, options);
  }

  void describe(const Example& example, nlohmann::ordered_json& batch) const override {
    batch["source"].push_back(example.source);
    batch["target"].push_back(example.target);
    if (data_.tasks.size() > 1) batch["task"].push_back(data_.tasks[static_cast<std::size_t>(example.head)].name);
  }

  [[nodiscard]] std::unique_ptr<Method> make_method() const {
    require<ConfigError>(args().method != "head", "--method head: an encoder's; wanted --task with it");
    require<ConfigError>(!full() || !args().method_options.infix(), "--placement infix: goes with --method prompt, ptuning or prefix");
    if (full()) return std::make_unique<NoMethod>();
    auto method = preamble::make_method(args(), data_.labelling(), *model_, *tokenizer_);
    dump_initial(method->trainables());
    return method;
  }

  [[nodiscard]] RunIdentity identity() const override { return text_identity(args(), data_); }

  void save(const std::filesystem::path& folder) override {
    if (full()) {
      save_model_folder(args().model, folder, model_->parameters());
    } else {
      save_method(args(), folder, *method_, *model_);
      if (args().merge && folder == args().output_dir) save_model_folder(args().model, *args().merge, model_->parameters());
    }
    data_.write_task(folder);
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<LanguageModel> model_;
  TextTraining data_;
  std::unique_ptr<ShardedBatches> sharded_;  ///< until the trainer has it; null: one file
  std::unique_ptr<Method> method_;
  std::vector<std::unique_ptr<Evaluator>> evaluators_;
};

}  // namespace

int train_command(const TrainArguments& arguments, const TaskOptions& task) { return TextTrainRun(arguments, task).run(); }

}  // namespace preamble
