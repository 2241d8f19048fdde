#include "tools/train_slots.h"

#include <memory>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/distributed/communicator.h"
#include "models/open_model.h"
#include "peft/make_method.h"
#include "peft/prompt_tuning.h"
#include "peft/save_method.h"
#include "peft/slot_trainer.h"
#include "tools/progress.h"
#include "tools/text_training.h"
#include "tools/train_run.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;
using Metrics = TrainRun::Metrics;

/// The run of one slot, as its own command would set it up.
class SlotRun final : public TrainRun {
 public:
  SlotRun(const TrainArguments& args, LanguageModel& model, const TextTraining& data) : TrainRun(args), model_(model), data_(data) {
    plan_steps(lengths_for(model, data.examples));
  }

  using TrainRun::options;
  using TrainRun::prepare_output;
  [[nodiscard]] std::string metric() const override { return !args().metric.empty() ? args().metric : data_.default_metric(); }
  [[nodiscard]] double sign() const { return metric_sign(); }

 private:
  [[nodiscard]] LanguageModel& model() const override { return model_; }
  [[nodiscard]] std::unique_ptr<Trainer> make_trainer(const TrainerOptions&) override { return nullptr; }
  [[nodiscard]] bool has_validation() const override { return !data_.validation.empty(); }
  [[nodiscard]] Metrics evaluate() override { return {}; }
  void save(const std::filesystem::path&) override {}
  [[nodiscard]] RunIdentity identity() const override { return text_identity(args(), data_); }
  void describe(const Example&, nlohmann::ordered_json&) const override {}

  LanguageModel& model_;
  const TextTraining& data_;
};

template <class T>
void require_count(const char* option, const std::vector<T>& list, std::int64_t slots) {
  require<ConfigError>(list.empty() || std::ssize(list) == slots, "{}: {} were given for {} slots; wanted one for each", option, list.size(),
                       slots);
}

std::vector<TrainArguments> arguments_of(const TrainArguments& args, const SlotArguments& given) {
  require<ConfigError>(args.method == "prompt" && !args.method_options.infix(), "--slots: goes with --method prompt in front of the input");
  require<ConfigError>(args.batch_tokens == 0, "--slots: goes with --batch-size, not with --batch-tokens");
  require<ConfigError>(!args.dump_batches && !args.dump_initial, "--slots: goes without --dump-batches and --dump-initial");
  require_count("--slot-seeds", given.seeds, given.slots);
  require_count("--slot-learning-rates", given.learning_rates, given.slots);
  require_count("--slot-inits", given.inits, given.slots);
  require_count("--slot-tokens", given.tokens, given.slots);
  std::vector<TrainArguments> all;
  for (std::int64_t k = 0; k < given.slots; ++k) {
    const auto slot = static_cast<std::size_t>(k);
    TrainArguments& own = all.emplace_back(args);
    own.seed = given.seeds.empty() ? args.seed + static_cast<std::uint64_t>(k) : given.seeds[slot];
    // the draws of rows are the same for all
    own.samples_seed = args.samples_seed.value_or(args.seed);
    if (!given.learning_rates.empty()) own.optimizer.learning_rate = given.learning_rates[slot];
    if (!given.inits.empty()) own.prompt_tuning_init = given.inits[slot];
    if (!given.tokens.empty()) own.init.tokens = given.tokens[slot];
    own.output_dir = args.output_dir / fmt::format("slot-{}", k);
  }
  return all;
}

Json line_of(const SlotProgress& made) {
  const TrainingProgress& p = made.progress;
  return {{"slot", made.slot},
          {"step", p.step},
          {"loss", p.result.loss},
          {"learning_rate", p.learning_rate},
          {"grad_norm", p.result.gradient_norm},
          {"label_tokens", p.result.label_tokens},
          {"step_ms", 1000 * p.step_seconds}};
}

}  // namespace

void add_options(CLI::App& command, SlotArguments& s) {
  const auto group = [](CLI::Option* option) { return option->group("Slots"); };
  group(command.add_option("--slots", s.slots,
                           "number of prompts to train in one program, each as a run of its own would; they are saved in slot-0, slot-1, ... of "
                           "--output-dir")
            ->check(CLI::PositiveNumber));
  group(command.add_option("--slot-seeds", s.seeds, "seeds of the slots, separated by commas (default: --seed and those behind it)")
            ->delimiter(','));
  group(command.add_option("--slot-learning-rates", s.learning_rates, "learning rates of the slots, separated by commas")->delimiter(','));
  group(command.add_option("--slot-inits", s.inits, "values of --prompt-tuning-init of the slots, separated by commas")->delimiter(','));
  group(command.add_option("--slot-tokens", s.tokens, "values of --num-virtual-tokens of the slots, separated by commas")
            ->delimiter(',')
            ->check(CLI::PositiveNumber));
}

int train_slots(const TrainArguments& args, const TaskOptions& files, const SlotArguments& given) {
  require<UnsupportedError>(world().size() == 1, "--slots: {} processes; wanted one", world().size());
  const std::vector<TrainArguments> all = arguments_of(args, given);
  const auto tokenizer = load_tokenizer(args.model);
  const auto model = open_model(args.model, args.weights.parameters());
  require<ConfigError>(dynamic_cast<const EncoderModel*>(model.get()) == nullptr, "{}: an encoder; --slots wants a model of texts",
                       args.model.string());
  // all slots draw the same rows
  TextTraining data = read_text_training(all.front(), files, *model, *tokenizer);
  require<ConfigError>(data.tasks.size() == 1, "--slots: {} tasks were given; wanted one", data.tasks.size());
  std::vector<PromptSlot> prompts;
  std::vector<std::unique_ptr<Method>> singles;
  std::vector<std::unique_ptr<SlotRun>> runs;
  std::vector<TrainerOptions> options;
  for (const auto& own : all) {
    singles.push_back(make_method(own, data.labelling(), *model, *tokenizer));
    prompts.push_back(dynamic_cast<const PromptTuning&>(*singles.back()).prompts().front());
    runs.push_back(std::make_unique<SlotRun>(own, *model, data));
    runs.back()->prepare_output();
    options.push_back(runs.back()->options());
  }
  const PromptTuning method(std::move(prompts));
  const std::string metric = runs.front()->metric();
  const double sign = runs.front()->sign();
  std::unique_ptr<Evaluator> evaluator;
  if (!data.validation.empty()) {
    evaluator = make_evaluator(args, data.validation.front(), *model, method, *tokenizer, metric, metric == "loss");
  }
  JsonLog log(args.json, args.resume);
  SlotTrainer trainer(*model, method, std::move(data.examples),
                      [&](std::vector<Dims> shapes) { return args.optimizer.make(std::move(shapes)); }, std::move(options));
  const std::uint64_t before = model->parameters().frozen_hash();
  Metrics last;
  SlotTrainer::Evaluate evaluate;
  if (evaluator) {
    evaluate = [&](std::int32_t slot) {
      evaluator->use_slot(slot);
      last = evaluator->run().metrics;
      const auto found = last.find(metric);
      require<ConfigError>(found != last.end(), "--metric: '{}' was given; this task has no such score", metric);
      return sign * found->second;
    };
  }
  auto line = std::make_unique<ProgressLine>();
  const auto results = trainer.fit(evaluate, [&](const SlotProgress& made) {
    Json json = line_of(made);
    const TrainingProgress& p = made.progress;
    std::string text = fmt::format("slot {}  step {}/{}  loss {:.4f}  {} left", made.slot, p.step, p.max_steps, p.result.loss,
                                   duration(p.seconds_left));
    if (p.metric) {
      json["eval"] = last;
      text += fmt::format("  {} {:.4f}", metric, sign * *p.metric);
    }
    log.write(json);
    line->show(text, p.metric.has_value());
  });
  line.reset();
  require<Error>(model->parameters().frozen_hash() == before, "training: a frozen tensor of {} has changed in memory; nothing was saved",
                 args.model.string());
  std::vector<std::string> failures;
  for (std::size_t k = 0; k < results.size(); ++k) {
    const TrainingResult& result = results[k];
    const std::string& failure = trainer.failure(static_cast<std::int32_t>(k));
    Json json = {{"done", failure.empty()}, {"slot", k},        {"method", "prompt"},          {"steps", result.steps},
                 {"last_loss", result.last_loss}, {"trainable", result.trainable_count}, {"step_ms", result.step_ms}, {"seconds", result.seconds},
                 {"peak_resident_bytes", peak_resident_bytes()}, {"arena_bytes", result.arena_bytes}, {"output_dir", all[k].output_dir.string()}};
    if (result.best_metric) json["best"] = {{"metric", metric}, {"value", sign * *result.best_metric}, {"step", result.best_step}};
    if (!failure.empty()) {
      json["failure"] = failure;
      failures.push_back(fmt::format("slot {}: {}", k, failure));
    } else {
      save_method(all[k], all[k].output_dir, *singles[k], *model);
      data.write_task(all[k].output_dir);
      fmt::print("slot {}: {} steps, {:.1f} ms a step, loss {:.4f}{}; saved to {}\n", k, result.steps, result.step_ms, result.last_loss,
                 result.best_metric ? fmt::format(", best {} {:.4f} at step {}", metric, sign * *result.best_metric, result.best_step) : "",
                 all[k].output_dir.string());
    }
    log.write(json);
  }
  require<Error>(failures.empty(), "training: {}", fmt::join(failures, "; "));
  return 0;
}

}  // namespace preamble
