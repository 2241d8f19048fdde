#include "tools/adapt_command.h"

#include <cmath>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/corpus/corpus_batches.h"
#include "data/json_file.h"
#include "data/tokenizers/tokenizer.h"
#include "engine/core/error.h"
#include "models/initial_weights.h"
#include "models/made_up_model.h"
#include "models/open_model.h"
#include "peft/evaluation.h"
#include "peft/make_method.h"
#include "peft/save_method.h"
#include "peft/save_model.h"
#include "tools/train_run.h"

namespace preamble {
namespace {

class AdaptRun final : public TrainRun {
 public:
  explicit AdaptRun(const AdaptArguments& args)
      : TrainRun(args.train), args_(args), tokenizer_(load_tokenizer(args.train.model)), model_(open()) {
    require<ConfigError>(args.train.max_steps > 0, "--max-steps: {} was given; wanted 1 at least, for text has no epochs",
                         args.train.max_steps);
    require<ConfigError>(!args.from_nothing || full(), "--config: a model from nothing is trained as a whole; --method {} was given",
                         args.train.method);
    require<ConfigError>(!args.train.method_options.infix(), "--placement infix: text has no source and target; wanted prefix");
    plan_steps(args.train.max_steps);
    make_task();
    method_ = make();
    if (!args.validation_files.empty()) prepare_validation();
  }

 private:
  [[nodiscard]] std::unique_ptr<LanguageModel> open() const {
    if (!args_.from_nothing) return open_model(args_.train.model, model_options());
    require<ConfigError>(args_.train.trainable_layers == 0, "--trainable-layers {}: a model from nothing is trained as a whole",
                         args_.train.trainable_layers);
    const JsonFile config = JsonFile::open(args_.train.model / "config.json");
    return made_up_model(args_.train.model.string(), initial_source(config, args_.train.seed), model_options());
  }

  void make_task() {
    encoder_ = dynamic_cast<EncoderModel*>(model_.get());
    const bool causal = dynamic_cast<const CausalLm*>(model_.get()) != nullptr;
    const bool two_stacks = encoder_ == nullptr && !causal;
    const bool sentinels = tokenizer_->token_to_id("<extra_id_0>").has_value();
    ObjectiveOptions options = args_.options;
    options.kind = !args_.objective.empty() ? objective_of(args_.objective)
                   : causal                 ? ObjectiveKind::causal_lm
                   : encoder_ != nullptr    ? ObjectiveKind::masked_lm
                   : sentinels              ? ObjectiveKind::prefix_lm
                                            : ObjectiveKind::denoising;
    const bool fits = options.kind == ObjectiveKind::causal_lm   ? causal
                      : options.kind == ObjectiveKind::masked_lm ? encoder_ != nullptr
                      : options.kind == ObjectiveKind::prefix_lm ? encoder_ == nullptr
                                                                 : two_stacks;
    require<ConfigError>(fits, "--objective {}: {} is {}; wanted {}", name_of(options.kind), args_.train.model.string(),
                         two_stacks ? "an encoder-decoder" : causal ? "a decoder" : "an encoder",
                         two_stacks ? "prefix-lm, span-corruption or denoising" : causal ? "causal-lm or prefix-lm" : "masked-lm");
    // what stands in front of the text takes positions too
    const PositionTable positions = model_->positions();
    const std::int64_t prompt = full() ? 0 : args_.train.init.tokens;
    const std::int64_t longest = positions.positions > 0 ? positions.positions - prompt : 0;
    if (options.max_source_length == 0 && options.kind != ObjectiveKind::prefix_lm) options.max_source_length = 512;
    if (options.max_source_length == 0) options.max_source_length = 1024;
    if (args_.options.max_source_length == 0 && longest > 0) options.max_source_length = std::min(options.max_source_length, longest);
    require<ConfigError>(longest == 0 || options.max_source_length <= longest, "--max-source-length {}: the model has {} positions, {} of them of "
                         "virtual tokens; wanted {} at most", options.max_source_length, positions.positions, prompt, longest);
    objective_ = make_objective(options, *tokenizer_, causal);
    if (encoder_ != nullptr) headed_ = std::make_unique<HeadedEncoder>(HeadedEncoder{*encoder_, {Head(*encoder_, HeadKind::masked_lm, {}, "")}});
    // GPT-2 reads an end token between documents, RoBERTa a separator (Liu et al. 2019, FULL-SENTENCES); T5 and BART nothing
    const auto& special = tokenizer_->special();
    rules_.length = objective_->window();
    rules_.packed = args_.packed;
    if (args_.document_end == "auto") {
      rules_.document_end = causal ? special.end : encoder_ != nullptr ? special.sep : std::nullopt;
      if (!args_.packed && !causal) rules_.document_end.reset();
    } else if (args_.document_end != "none") {
      rules_.document_end = tokenizer_->token_to_id(args_.document_end);
      require<ConfigError>(rules_.document_end.has_value(), "--document-end: '{}' was given; wanted auto, none or a token of the vocabulary",
                           args_.document_end);
    }
  }

  [[nodiscard]] TokenWindows windows(const std::vector<std::filesystem::path>& files) const {
    const bool jsonl = files.front().extension() == ".jsonl";
    const DocumentFormat format = !args_.documents.empty() ? document_format_of(args_.documents)
                                  : jsonl                  ? DocumentFormat::jsonl
                                                           : DocumentFormat::form_feed;
    return {DocumentReader(files, format, args_.text_field), *tokenizer_, rules_};
  }

  /// A loss for batches of so many examples in so many parts.
  [[nodiscard]] std::unique_ptr<LossModel> loss(std::int64_t sequences, std::int64_t parts) const {
    const std::vector<Example> largest(static_cast<std::size_t>(sequences), objective_->largest());
    BatchRules rules = batch_rules();
    rules.sequences = sequences;
    return headed_ != nullptr ? loss_model_for(*headed_, largest, rules, parts) : loss_model_for(*model_, largest, rules, parts);
  }

  [[nodiscard]] std::unique_ptr<Method> make() const {
    require<ConfigError>(args_.train.method != "head", "--method head: text has no classes; wanted another method");
    if (full()) return std::make_unique<NoMethod>();
    auto method = make_method(args_.train, TextTask(), *model_, *tokenizer_);
    dump_initial(method->trainables());
    return method;
  }

  void prepare_validation() {
    auto examples = first_examples(windows(args_.validation_files), *objective_, args_.validation_windows, args_.train.seed);
    validation_ = fmt::format("{}, {}", describe_content(examples), objective_->describe());
    const std::int64_t batch = std::min<std::int64_t>(args_.train.batch_size, std::ssize(examples));
    meter_ = std::make_unique<LossMeter>(loss(batch, 1), *method_, std::move(examples), batch);
  }

  [[nodiscard]] LanguageModel& model() const override { return *model_; }
  [[nodiscard]] std::string metric() const override { return "loss"; }
  [[nodiscard]] bool has_validation() const override { return meter_ != nullptr; }
  [[nodiscard]] Metrics evaluate() override {
    const double loss = meter_->run();
    return {{"loss", loss}, {"perplexity", std::exp(loss)}};
  }

  [[nodiscard]] std::unique_ptr<Trainer> make_trainer(const TrainerOptions& options) override {
    const std::int64_t sequences = args_.train.batch_size;
    auto data = std::make_unique<CorpusBatches>(
        windows(args_.train_files), *objective_,
        CorpusRules{.sequences = sequences, .shuffle_windows = args_.shuffle_windows, .seed = args_.train.seed});
    return std::make_unique<Trainer>(
        loss(sequences, part_count(options)), *method_, std::move(data),
        [this](std::vector<Dims> shapes) { return args_.train.optimizer.make(std::move(shapes)); }, options);
  }

  [[nodiscard]] RunIdentity identity() const override {
    RunIdentity identity;
    identity["objective"] = objective_->describe();
    identity["start"] = full() ? "the model" : prompt_init_name(args_.train, TextTask());
    identity["method options"] = args_.train.method_options.describe();
    if (meter_ != nullptr) identity["validation data"] = validation_;
    return identity;
  }

  void describe(const Example& example, nlohmann::ordered_json& batch) const override {
    batch["source"].push_back(example.source);
    batch[encoder_ != nullptr ? "labels" : "target"].push_back(encoder_ != nullptr ? example.tags : example.target);
  }

  void save(const std::filesystem::path& folder) override {
    if (full()) {
      save_model_folder(args_.train.model, folder, model_->parameters());
    } else {
      save_method(args_.train, folder, *method_, *model_);
    }
  }

  const AdaptArguments& args_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<LanguageModel> model_;
  EncoderModel* encoder_ = nullptr;  ///< the model, if it is one
  std::unique_ptr<HeadedEncoder> headed_;
  std::unique_ptr<Objective> objective_;
  WindowRules rules_;
  std::unique_ptr<Method> method_;
  std::string validation_;  ///< number and content of the validation examples
  std::unique_ptr<LossMeter> meter_;
};

}  // namespace

int adapt_command(const AdaptArguments& arguments) { return AdaptRun(arguments).run(); }

}  // namespace preamble
