#include <memory>
#include <string>
#include <vector>

#include "data/sharded_batches.h"
#include "engine/core/error.h"
#include "engine/distributed/communicator.h"
#include "tools/commands.h"
#include "tools/encoder_options.h"
#include "tools/train_command.h"
#include "tools/train_encoder.h"
#include "tools/train_method.h"
#include "tools/train_slots.h"
#include "tools/train_text_prompt.h"
#include "tools/training_options.h"

namespace preamble {
namespace {

struct TrainOptions {
  TrainArguments arguments;
  TaskOptions task;
  EncoderOptions encoder;
  CommonOptions common;
  TextPromptOptions text_prompt;
  SlotArguments slots;
  LoraConfig lora;
  std::string fallback = "tile";
  std::vector<std::string> shards;
};

void set_lora(const CLI::App& command, TrainOptions& options) {
  TrainArguments& args = options.arguments;
  LoraConfig& lora = options.lora;
  const bool asked = args.method == "lora" || command.count("--lora-r") > 0;
  for (const char* name : {"--lora-alpha", "--lora-dropout", "--target-modules", "--use-rslora", "--merge"}) {
    require<ConfigError>(asked || command.count(name) == 0, "{}: goes with --method lora, or with --lora-r beside another method", name);
  }
  if (!asked) return;
  require<ConfigError>(args.method != "full" && args.method != "head", "--lora-r: goes with --method lora, prompt, ptuning or prefix");
  require<ConfigError>(!args.merge || args.method == "lora", "--merge: a prompt or prefix is no part of the weights; wanted --method lora");
  lora.target_is_pattern = lora.target_modules == std::vector<std::string>{"all-linear"};
  args.lora = lora;
}

/// The files of --train-shards, and which of them is this process's first.
void set_shards(const CLI::App& command, TrainOptions& options) {
  if (options.shards.empty()) return;
  TrainArguments& args = options.arguments;
  require<ConfigError>(args.method != "text-prompt" && options.slots.slots == 0 && !options.encoder.tasks_file(),
                       "--train-shards: goes with one prompt of one task; wanted no --method text-prompt, --slots or --tasks");
  require<ConfigError>(command.count("--train-samples") == 0, "--train-shards: goes without --train-samples");
  args.train_shards = shard_files(options.shards);
  args.train_file = args.train_shards[own_shards(args.train_shards.size(), world()).begin];
  require<FileError>(std::filesystem::is_regular_file(args.train_file), "{}: no such file", args.train_file.string());
}

void add_data_options(CLI::App& command, TrainArguments& args) {
  const auto group = [&](CLI::Option* option) { option->group("Training")->capture_default_str(); };
  group(command.add_option("--num-train-epochs", args.num_train_epochs, "number of passes over the training data")
            ->check(CLI::PositiveNumber));
  group(command
            .add_option("--batch-tokens", args.batch_tokens,
                        "largest number of tokens per update, virtual ones included (encoder-decoder models: tokens of sources); replaces "
                        "--batch-size")
            ->check(CLI::NonNegativeNumber));
  group(command.add_option("--mixture-rates", args.mixture_rates,
                           "several tasks of --task-name: how often each is drawn, and with --loss mean what its own loss weighs in a batch: proportional "
                           "(to its number of examples), equal, or numbers separated by commas"));
  group(command.add_option("--mixture-limit", args.mixture_limit,
                           "proportional rates: largest number of examples that counts (T5's K); 0: no limit")
            ->check(CLI::NonNegativeNumber));
  group(command.add_option("--mixture-temperature", args.mixture_temperature, "proportional rates: their temperature T, rates^(1/T)")
            ->check(CLI::PositiveNumber));
  group(command
            .add_option("--early-stopping-patience", args.early_stopping_patience,
                        "number of evaluations without a better score after which training stops; 0: never stop early")
            ->check(CLI::NonNegativeNumber));
  group(command.add_option(
      "--metric", args.metric,
      "score that chooses the checkpoint: accuracy or macro_f1 (classes); exact_match, f1, bleu, rouge_l or another metric "
      "of `preamble score --list` (greedy texts); loss (of the target tokens; the fastest)"));
  group(command.add_option("--validation-samples", args.validation_samples, "number of validation rows to draw; 0: use all")
            ->check(CLI::NonNegativeNumber));
  group(command.add_option("--train-samples", args.train_samples, "number of training rows to draw; 0: use all")
            ->check(CLI::NonNegativeNumber));
  group(command.add_option(
      "--samples-seed", args.samples_seed,
      "seed of these draws (default: --seed); Li and Liang (2021) draw 50, 100, 200 and 500 rows, 5 times, with 2 seeds, and "
      "30 % as many validation rows"));
}

}  // namespace

void add_train(CLI::App& app) {
  auto* command = app.add_subcommand("train", "train a prompt or a prefix of a frozen language model, or the whole model, on a data set");
  const auto options = std::make_shared<TrainOptions>();
  TrainArguments& args = options->arguments;
  args.init.tokens = 20;
  command->add_option("--model", args.model, "Hugging Face folder of the model")->required()->check(CLI::ExistingDirectory);
  command
      ->add_option(
          "--method", args.method,
          "what is trained: prompt (embeddings in front of the input), ptuning (embeddings that a network computes), prefix or "
          "deep-prompt (keys and values of every layer), lora (low-rank additions to linear maps), head (the head of an encoder alone) or full "
          "(the whole model); the head of an encoder is always trained too; text-prompt: nothing, an instruction and examples stand in front of "
          "the input")
      ->check(CLI::IsMember({"prompt", "ptuning", "prefix", "deep-prompt", "lora", "head", "full", "text-prompt"}))
      ->capture_default_str();
  command->add_option("--trainable-layers", args.trainable_layers, "full: number of top layers to train; 0: train everything")
      ->check(CLI::NonNegativeNumber);
  auto* train_file =
      command
          ->add_option(
              "--train-file", args.train_files,
              "training data: JSONL, JSON, TSV, CSV; CoNLL columns or JSON with tokens (TOKEN_CLS); SQuAD's JSON (QUESTION_ANS); or "
              "the format that --format names; of a mixture one file for each task, each with its own --train-file")
          ->check(CLI::ExistingPath)
          ->allow_extra_args(false);
  command->add_option("--train-shards", options->shards,
                      "training data in several files of one kind, in place of --train-file: names, or a pattern in quotes such as 'train-*.jsonl', whose "
                      "files are sorted by name; of several processes (mpirun) each reads its own alone, and every batch has as many examples of each file")
      ->excludes(train_file);
  command
      ->add_option("--validation-file", args.validation_files,
                   "validation data; the checkpoint with the best score on it is saved; of a mixture one for each task")
      ->check(CLI::ExistingPath)
      ->allow_extra_args(false);
  command->add_option("--output-dir", args.output_dir, "folder that gets the adapter (or the model)")->required();
  command->add_option("--merge", args.merge, "with LoRA: another folder, which gets the model with the additions merged into its weights");
  add_common(*command, options->common);
  options->task.add_to(*command);
  options->encoder.add_to(*command);
  add_prompt_options(*command, args, options->fallback);
  add_options(*command, args.method_options);
  add_options(*command, options->text_prompt);
  add_options(*command, options->slots);
  add_options(*command, options->lora);
  add_loop_options(*command, args);
  add_data_options(*command, args);
  add_options(*command, args.optimizer);
  command->callback([options, train_file, command] {
    TrainArguments& given = options->arguments;
    set_lora(*command, *options);
    if (!options->encoder.tasks_file() && train_file->count() == 0 && options->shards.empty()) throw CLI::RequiredError("--train-file");
    if (given.method == "deep-prompt") given.method = "prefix";
    if (!given.train_files.empty()) given.train_file = given.train_files.front();
    set_shards(*command, *options);
    if (!given.validation_files.empty()) given.validation_file = given.validation_files.front();
    const bool mixed = given.train_files.size() > 1 || given.validation_files.size() > 1;
    if (mixed && (options->encoder.given() || given.method == "text-prompt"))
      throw CLI::ValidationError("--train-file", "several files go with several names of --task-name");
    given.init.fallback = text_fallback_of(options->fallback);
    if (given.method == "text-prompt") {
      options->encoder.require_fit({});
      train_text_prompt(given, options->task, options->text_prompt);
    } else if (options->slots.slots > 0) {
      options->encoder.require_fit({});
      train_slots(given, options->task, options->slots);
    } else if (options->encoder.given()) {
      train_encoder_command(given, options->task, options->encoder);
    } else {
      options->encoder.require_fit({});
      train_command(given, options->task);
    }
  });
}

}  // namespace preamble
