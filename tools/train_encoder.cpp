#include "tools/train_encoder.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "models/open_model.h"
#include "peft/head_file.h"
#include "peft/make_method.h"
#include "peft/run_identity.h"
#include "peft/save_method.h"
#include "peft/save_model.h"
#include "peft/tasks/labelled_data.h"
#include "peft/tasks/predictor.h"
#include "tools/train_run.h"

namespace preamble {
namespace {

/// The tasks of a run and where their files lie.
std::vector<EncoderTaskFiles> tasks_of(const TrainArguments& args, const TaskOptions& files, const EncoderOptions& options) {
  std::vector<EncoderTaskFiles> tasks;
  if (options.tasks_file()) {
    options.require_fit({});
    tasks = read_task_files(*options.tasks_file());
  } else {
    tasks.push_back({options.task(std::nullopt), args.train_file, args.validation_file});
  }
  for (auto& [task, train_file, validation_file] : tasks) {
    require<ConfigError>(!train_file.empty(), "task '{}': no training file; wanted one", task.name);
    task = completed(std::move(task), train_file, files.table_options());
  }
  return tasks;
}

class EncoderTrainRun final : public TrainRun {
 public:
  EncoderTrainRun(const TrainArguments& args, const TaskOptions& files, const EncoderOptions& options)
      : TrainRun(args),
        tasks_(tasks_of(args, files, options)),
        tokenizer_(load_tokenizer(args.model)),
        model_(open_encoder(args.model, model_options())),
        encoder_{*model_, {}},
        predicting_{*model_, {}} {
    require<ConfigError>(!full() || tasks_.size() == 1, "--method full: {} tasks were given; wanted one", tasks_.size());
    make_heads();
    method_ = make();
    for (std::size_t i = 0; i < tasks_.size(); ++i) load(i, files.table_options());
    plan_steps(lengths_of(examples_));
    make_predictor();
  }

 private:
  [[nodiscard]] LanguageModel& model() const override { return *model_; }
  [[nodiscard]] bool has_validation() const override { return predictor_ != nullptr; }

  [[nodiscard]] std::string metric() const override {
    if (!args().metric.empty()) return args().metric;
    return tasks_.size() == 1 ? tasks_.front().task.chosen_metric() : "mean";
  }

  [[nodiscard]] std::unique_ptr<Trainer> make_trainer(const TrainerOptions& options) override {
    return std::make_unique<Trainer>(
        encoder_, *method_, std::move(examples_), [this](std::vector<Dims> shapes) { return args().optimizer.make(std::move(shapes)); },
        options);
  }

  [[nodiscard]] RunIdentity identity() const override {
    RunIdentity identity;
    identity["method options"] = args().method_options.describe();
    for (const auto& [task, train_file, validation_file] : tasks_) {
      identity["task " + task.name] =
          fmt::format("{} '{}' '{}' [{}] '{}' length {} pooler {} loss over {}", name_of(task.kind), task.text, task.pair,
                      fmt::join(task.choices, ","), task.labels, task.length(), name_of(task.pooler), task.verbalizer_loss);
    }
    for (std::size_t v = 0; v < validation_.size(); ++v)
      identity["validation data of " + tasks_[validation_tasks_[v]].task.name] = describe_content(validation_[v]->examples());
    return identity;
  }

  /// The labels that the example's head reads.
  void describe(const Example& example, nlohmann::ordered_json& batch) const override {
    const EncoderTask& task = tasks_[static_cast<std::size_t>(example.head)].task;
    batch["source"].push_back(example.source);
    if (!example.types.empty()) batch["types"].push_back(example.types);
    if (tasks_.size() > 1) batch["task"].push_back(task.name);
    switch (task.kind) {
      case HeadKind::sequence:
        if (task.regression) {
          batch["value"].push_back(example.value);
        } else {
          batch["label"].push_back(example.label);
        }
        break;
      case HeadKind::choice:
        batch["choices"].push_back(example.choices);
        batch["label"].push_back(example.label);
        break;
      case HeadKind::tokens:
      case HeadKind::masked_lm: batch["labels"].push_back(example.tags); break;
      case HeadKind::span: batch["answer"].push_back({example.begin, example.end}); break;
    }
  }

  void make_heads() {
    const bool masked = tasks_.front().task.kind == HeadKind::masked_lm;
    require<ConfigError>(!masked || tasks_.size() == 1, "MASKED_LM: {} tasks were given; wanted one", tasks_.size());
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      const EncoderTask& task = tasks_[i].task;
      const Head head = make_head(task, *model_, args().seed + i, slot_name(i, tasks_.size(), kHeadPrefix));
      encoder_.heads.push_back(learning_head(task, head, *tokenizer_));
      predicting_.heads.push_back(predicting_head(task, head, *tokenizer_));
    }
  }

  [[nodiscard]] std::unique_ptr<Method> make() const {
    if (full() || args().method == "head") {
      require<ConfigError>(full() || tasks_.front().task.kind != HeadKind::masked_lm,
                           "--method head: the masked-LM head is not trained; wanted another");
      return std::make_unique<NoMethod>();
    }
    TextTask words;
    if (args().prompt_tuning_init == "class_labels") words.labels = tasks_.front().task.labels;
    auto method = make_method(args(), words, *model_, *tokenizer_);
    if (args().dump_initial) {
      std::vector<std::pair<std::string, Tensor>> tensors;
      for (const auto& trainable : method->trainables()) tensors.emplace_back(trainable.name, trainable.value);
      for (const auto& head : encoder_.heads) {
        for (auto& [name, tensor] : head.trainables()) tensors.emplace_back(name, tensor);
      }
      write_safetensors(*args().dump_initial, tensors);
    }
    return method;
  }

  void load(std::size_t i, const TableOptions& table) {
    const EncoderTaskFiles& files = tasks_[i];
    LoadOptions options{
        .table = table, .training = true, .head = static_cast<std::int32_t>(i), .samples = args().train_samples, .seed = args().seed};
    const auto train = load_labelled_data(files.task, files.train_file, *tokenizer_, options);
    report_data(files.train_file, *train);
    examples_.insert(examples_.end(), train->examples().begin(), train->examples().end());
    if (!files.validation_file) return;
    options.samples = args().validation_samples;
    options.training = false;
    validation_.push_back(load_labelled_data(files.task, *files.validation_file, *tokenizer_, options));
    report_data(*files.validation_file, *validation_.back());
    validation_tasks_.push_back(i);
  }

  void make_predictor() {
    std::size_t longest = 1;
    for (const auto& data : validation_) {
      for (const auto& example : data->examples()) longest = std::max(longest, example.source.size());
    }
    if (!validation_.empty()) predictor_ = std::make_unique<Predictor>(predicting_, *method_, static_cast<std::int64_t>(longest));
  }

  /// Of several tasks each score in the task's name, and the mean of their chosen ones.
  [[nodiscard]] Metrics evaluate() override {
    Metrics all;
    double sum = 0;
    for (std::size_t v = 0; v < validation_.size(); ++v) {
      const EncoderTask& task = tasks_[validation_tasks_[v]].task;
      const Metrics scores = validation_[v]->score(predictor_->predict(validation_[v]->examples()));
      if (tasks_.size() == 1) return scores;
      for (const auto& [name, value] : scores) all[task.name + "." + name] = value;
      sum += scores.at(task.chosen_metric());
    }
    all["mean"] = sum / static_cast<double>(validation_.size());
    return all;
  }

  void save() override {
    if (full()) {
      save_model_folder(args().model, args().output_dir, model_->parameters(), encoder_.heads.front(), tasks_.front().task.class_names());
      EncoderTask::write({tasks_.front().task}, args().output_dir);
      return;
    }
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      // PEFT's folders hold one head: several tasks have a folder each, with the same prompt
      const auto folder = tasks_.size() == 1 ? args().output_dir : args().output_dir / tasks_[i].task.name;
      const Head& head = encoder_.heads[i];
      const bool own = head.kind() != HeadKind::masked_lm;
      save_method(args(), folder, *method_, *model_, own ? SavedHead{&encoder_, &head} : SavedHead{});
      EncoderTask::write({tasks_[i].task}, folder);
    }
  }

  std::vector<EncoderTaskFiles> tasks_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<EncoderModel> model_;
  HeadedEncoder encoder_;
  HeadedEncoder predicting_;  ///< the same tensors, with the logits that predictions read
  std::unique_ptr<Method> method_;
  std::vector<Example> examples_;
  std::vector<std::unique_ptr<LabelledData>> validation_;
  std::vector<std::size_t> validation_tasks_;
  std::unique_ptr<Predictor> predictor_;
};

}  // namespace

int train_encoder_command(const TrainArguments& arguments, const TaskOptions& files, const EncoderOptions& options) {
  return EncoderTrainRun(arguments, files, options).run();
}

}  // namespace preamble
