#include <memory>

#include "tools/adapt_command.h"
#include "tools/commands.h"
#include "tools/train_method.h"
#include "tools/training_options.h"

namespace preamble {
namespace {

struct AdaptOptions {
  AdaptArguments arguments;
  CommonOptions common;
  std::filesystem::path config;
  std::string fallback = "tile";
  std::string keep = "last";
};

void add_text_options(CLI::App& command, AdaptArguments& args) {
  const auto group = [](CLI::Option* option) { option->group("Text"); };
  group(command.add_option("--train-file", args.train_files, "files of UTF-8 text, read as a stream and in order; memory does not depend on their size")
            ->required()
            ->check(CLI::ExistingFile));
  group(command.add_option("--validation-file", args.validation_files, "held-out files of text")->check(CLI::ExistingFile));
  group(command.add_option("--validation-windows", args.validation_windows, "number of windows of the held-out text to evaluate on")
            ->check(CLI::PositiveNumber)
            ->capture_default_str());
  group(command
            .add_option("--documents", args.documents,
                        "what ends a document: form-feed, blank-line, line, or jsonl (a JSON object a line); default: jsonl for files of that "
                        "name, else form-feed")
            ->check(CLI::IsMember({"form-feed", "blank-line", "line", "jsonl"})));
  group(command.add_option("--text-field", args.text_field, "jsonl: the field that holds the text")->capture_default_str());
  group(command.add_flag("--pack,!--no-pack", args.packed, "let a window hold tokens of several documents (default), or of one"));
  group(command
            .add_option("--document-end", args.document_end,
                        "token behind each document: auto (decoders: the end token; encoders: the separator; else none), none, or a token")
            ->capture_default_str());
  group(command.add_option("--shuffle-windows", args.shuffle_windows, "windows come in random order among so many; 1: in order")
            ->check(CLI::PositiveNumber)
            ->capture_default_str());
}

void add_objective_options(CLI::App& command, AdaptArguments& args) {
  const auto group = [](CLI::Option* option) { option->group("Objective"); };
  ObjectiveOptions& o = args.options;
  group(command
            .add_option("--objective", args.objective,
                        "what the model learns: prefix-lm (LM adaptation), span-corruption (T5), causal-lm (decoders), masked-lm (encoders) or "
                        "denoising (BART); default: T5 prefix-lm, BART denoising")
            ->check(CLI::IsMember({"prefix-lm", "span-corruption", "causal-lm", "masked-lm", "denoising"})));
  group(command
            .add_option("--max-source-length", o.max_source_length,
                        "most tokens of an input, special ones included (default: prefix-lm 1024, else 512; fewer if the model has fewer "
                        "positions); windows are as long as fits")
            ->check(CLI::PositiveNumber));
  group(command
            .add_option("--max-target-length", o.max_target_length,
                        "prefix-lm of an encoder-decoder: most tokens of a target; the rest is cut (default: 256)")
            ->check(CLI::PositiveNumber));
  group(command.add_option("--noise-density", o.noise_density, "share of noise tokens (default: span-corruption, masked-lm 0.15; denoising 0.3)")
            ->check(CLI::Range(0.0, 0.99)));
  group(command
            .add_option("--mean-span-length", o.mean_span_length,
                        "mean length of noise spans (default: 3); denoising: of a Poisson distribution")
            ->check(CLI::PositiveNumber));
  group(command.add_option("--random-rate", o.random_rate, "share of the masks that become a random token (default: masked-lm 0.1, denoising 0)")
            ->check(CLI::Range(0.0, 1.0)));
  group(command.add_option("--keep-rate", o.keep_rate, "masked-lm: share of the masks where the token stays (default: 0.1)")
            ->check(CLI::Range(0.0, 1.0)));
  group(command.add_flag("--permute-sentences,!--no-permute-sentences", o.permute_sentences, "denoising: put sentences in random order (default)"));
}

/// A whole model learns as T5 did: Adafactor with parameter scaling, 0.01 and then its inverse square root.
void complete_recipe(const CLI::App& command, TrainArguments& args) {
  if (args.method != "full") return;
  OptimizerOptions& o = args.optimizer;
  const auto given = [&](const char* name) { return command.count(name) > 0; };
  if (!given("--optim")) o.optim = "adafactor";
  if (o.optim != "adafactor") return;
  if (!given("--adafactor-scale-parameter")) o.adafactor.scale_parameter = true;
  if (!given("--adafactor-step-offset")) o.adafactor.step_offset = o.lr_step_offset;
  if (!given("--lr-scheduler-type")) o.lr_scheduler_type = "noam";
  if (!o.learning_rate) o.learning_rate = 0.01;
}

}  // namespace

void add_adapt(CLI::App& app) {
  auto* command = app.add_subcommand("adapt", "train a language model on plain text, from a checkpoint or from nothing, or a prompt in front of it");
  const auto options = std::make_shared<AdaptOptions>();
  AdaptArguments& args = options->arguments;
  TrainArguments& train = args.train;
  train.method = "full";
  train.init.tokens = 20;
  auto* model = command->add_option("--model", train.model, "Hugging Face folder of the model to go on from")->check(CLI::ExistingDirectory);
  command->add_option("--config", options->config, "folder with a config.json and a tokenizer: train a model of that shape from nothing")
      ->check(CLI::ExistingDirectory)
      ->excludes(model);
  command
      ->add_option("--method", train.method,
                   "what is trained: full (the whole model), or prompt, ptuning, prefix or deep-prompt in front of the frozen model")
      ->check(CLI::IsMember({"full", "prompt", "ptuning", "prefix", "deep-prompt"}))
      ->capture_default_str();
  command->add_option("--trainable-layers", train.trainable_layers, "full: number of top layers to train; 0: train everything")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--output-dir", train.output_dir, "folder that gets the model with its tokenizer, or the adapter")->required();
  command
      ->add_option("--keep", options->keep, "values to save: last (of the last update) or best (of the evaluation with the lowest loss)")
      ->check(CLI::IsMember({"last", "best"}))
      ->capture_default_str();
  add_common(*command, options->common);
  add_text_options(*command, args);
  add_objective_options(*command, args);
  add_prompt_options(*command, train, options->fallback);
  add_options(*command, train.method_options);
  add_loop_options(*command, train);
  add_options(*command, train.optimizer);
  command->footer(
      "A whole model is trained with T5's recipe unless other options are given: --optim adafactor --adafactor-scale-parameter "
      "--learning-rate 0.01 --lr-scheduler-type noam. To go on from a checkpoint as the prompt-tuning paper did, give the checkpoint's "
      "updates as --lr-step-offset.");
  command->callback([options, command] {
    AdaptArguments& given = options->arguments;
    given.from_nothing = !options->config.empty();
    if (given.from_nothing) given.train.model = options->config;
    if (given.train.model.empty()) throw CLI::RequiredError("--model or --config");
    if (given.train.method == "deep-prompt") given.train.method = "prefix";
    given.train.init.fallback = text_fallback_of(options->fallback);
    given.train.keep_best = options->keep == "best";
    complete_recipe(*command, given.train);
    adapt_command(given);
  });
}

}  // namespace preamble
