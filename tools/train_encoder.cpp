#include "tools/train_encoder.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/core/error.h"
#include "engine/distributed/communicator.h"
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
    const bool labelled = (task.kind == HeadKind::sequence && !task.regression) || task.kind == HeadKind::masked_lm || task.kind == HeadKind::tokens;
    require<ConfigError>(args.train_shards.empty() || !labelled || !task.labels.empty() || !task.tags.empty(),
                         "--labels: not given; wanted with --train-shards, for no process reads all of the data");
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
        encoder_{*model_, {}, model_->pooling()},
        predicting_{*model_, {}, model_->pooling()} {
    require<ConfigError>(!full() || tasks_.size() == 1, "--method full: {} tasks were given; wanted one", tasks_.size());
    make_heads();
    method_ = make();
    for (std::size_t i = 0; i < tasks_.size(); ++i) load(i, files.table_options());
    if (tasks_.size() > 1) rates_.resize(tasks_.size());
    for (std::size_t i = 0; tasks_.size() > 1 && i < examples_.size(); ++i)
      rates_[static_cast<std::size_t>(examples_[i].head)] += 1.0 / static_cast<double>(examples_.size());
    if (shards_.empty()) {
      plan_steps(lengths_of(examples_));
    } else {
      sharded_ = plan_shards(std::move(shards_));
    }
    make_predictor();
  }

 private:
  [[nodiscard]] LanguageModel& model() const override { return *model_; }
  [[nodiscard]] bool has_validation() const override { return predictor_ != nullptr; }

  /// Every example comes once an epoch; the loss of a task weighs as its share of them, however many labels they have.
  [[nodiscard]] std::vector<double> task_rates() const override { return rates_; }
  [[nodiscard]] bool draws_by_rate() const override { return false; }

  [[nodiscard]] std::string metric() const override {
    if (!args().metric.empty()) return args().metric;
    return tasks_.size() == 1 ? tasks_.front().task.chosen_metric() : "mean";
  }

  [[nodiscard]] std::unique_ptr<Trainer> make_trainer(const TrainerOptions& options) override {
    const Trainer::MakeOptimizer optimizer = [this](std::vector<Dims> shapes) { return args().optimizer.make(std::move(shapes)); };
    if (sharded_) return std::make_unique<Trainer>(encoder_, *method_, std::move(sharded_), optimizer, options);
    return std::make_unique<Trainer>(encoder_, *method_, std::move(examples_), optimizer, options);
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
    batch["types"].push_back(types_read(example));
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

  /// Token types as the model reads them.
  [[nodiscard]] std::vector<std::int32_t> types_read(const Example& example) const {
    const bool read = model_->token_types() > 1 && !example.types.empty();
    return read ? example.types : std::vector<std::int32_t>(example.source.size(), 0);
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
    std::vector<Trainable> initial = method->trainables();
    for (const auto& head : encoder_.heads) {
      for (auto& [name, tensor] : head.trainables()) initial.push_back({name, tensor});
    }
    dump_initial(initial);
    return method;
  }

  void load(std::size_t i, const TableOptions& table) {
    const EncoderTaskFiles& files = tasks_[i];
    LoadOptions options{
        .table = table, .training = true, .head = static_cast<std::int32_t>(i), .samples = args().train_samples, .seed = args().seed};
    set_blanks(options, *model_);
    const auto read = [&](const std::filesystem::path& path) {
      const auto train = load_labelled_data(files.task, path, *tokenizer_, options);
      report_data(path, *train);
      return train->examples();
    };
    if (args().train_shards.empty()) {
      const auto examples = read(files.train_file);
      examples_.insert(examples_.end(), examples.begin(), examples.end());
    } else {
      const RankShare own = own_shards(args().train_shards.size(), world());
      for (std::size_t shard = own.begin; shard < own.end; ++shard) {
        auto examples = read(args().train_shards[shard]);
        auto lengths = lengths_of(examples);
        shards_.push_back({std::move(examples), std::move(lengths)});
      }
    }
    if (!files.validation_file) return;
    options.samples = args().validation_samples;
    options.training = false;
    validation_.push_back(load_labelled_data(files.task, *files.validation_file, *tokenizer_, options));
    report_data(*files.validation_file, *validation_.back());
    validation_tasks_.push_back(i);
  }

  void make_predictor() {
    std::int64_t longest = 1;
    for (const auto& data : validation_) longest = std::max(longest, longest_source(data->examples()));
    if (!validation_.empty()) predictor_ = std::make_unique<Predictor>(predicting_, *method_, longest);
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

  void save(const std::filesystem::path& whole) override {
    if (full()) {
      save_model_folder(args().model, whole, model_->parameters(), encoder_.heads.front(), tasks_.front().task.class_names());
      EncoderTask::write({tasks_.front().task}, whole);
      return;
    }
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      // PEFT's folders hold one head: several tasks have a folder each, with the same prompt
      const auto folder = tasks_.size() == 1 ? whole : whole / tasks_[i].task.name;
      const Head& head = encoder_.heads[i];
      const bool own = !head.is_language_model();
      save_method(args(), folder, *method_, *model_, own ? SavedHead{&encoder_, &head} : SavedHead{});
      EncoderTask::write({tasks_[i].task}, folder);
      if (args().merge && i == 0 && whole == args().output_dir) {
        save_model_folder(args().model, *args().merge, model_->parameters(), head, tasks_[i].task.class_names());
        EncoderTask::write({tasks_[i].task}, *args().merge);
      }
    }
  }

  std::vector<EncoderTaskFiles> tasks_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<EncoderModel> model_;
  HeadedEncoder encoder_;
  HeadedEncoder predicting_;  ///< the same tensors, with the logits that predictions read
  std::unique_ptr<Method> method_;
  std::vector<double> rates_;  ///< of several tasks
  std::vector<Example> examples_;
  std::vector<Shard> shards_;                ///< of this process, until they are batches
  std::unique_ptr<ShardedBatches> sharded_;  ///< until the trainer has it; null: files that everybody reads
  std::vector<std::unique_ptr<LabelledData>> validation_;
  std::vector<std::size_t> validation_tasks_;
  std::unique_ptr<Predictor> predictor_;
};

}  // namespace

int train_encoder_command(const TrainArguments& arguments, const TaskOptions& files, const EncoderOptions& options) {
  return EncoderTrainRun(arguments, files, options).run();
}

}  // namespace preamble
