#include <memory>

#include "tools/commands.h"
#include "tools/encoder_options.h"
#include "tools/train_command.h"
#include "tools/train_encoder.h"

namespace preamble {
namespace {

struct TrainOptions {
  TrainArguments arguments;
  TaskOptions task;
  EncoderOptions encoder;
  CommonOptions common;
  std::string fallback = "tile";
};

void add_prompt_options(CLI::App& command, const std::shared_ptr<TrainOptions>& options) {
  TrainArguments& args = options->arguments;
  const auto group = [&](CLI::Option* option) { option->group("Prompt"); };
  group(command.add_option("--num-virtual-tokens", args.init.tokens, "rows of the prompt")
            ->check(CLI::PositiveNumber)
            ->capture_default_str());
  group(command.add_option(
      "--prompt-tuning-init", args.prompt_tuning_init,
      "random, random_symmetric, normal, sample_vocab, class_labels, text, adapter or file (default: class_labels where there "
      "are labels, else sample_vocab)"));
  group(command.add_option("--prompt-tuning-init-text", args.init.text, "for text"));
  group(command.add_option("--prompt-tuning-init-fallback", options->fallback, "behind a short text: tile, uniform or sample_vocab")
            ->check(CLI::IsMember({"tile", "uniform", "sample_vocab"})));
  group(command.add_option("--prompt-tuning-init-population", args.init.population, "sample_vocab draws from so many first rows")
            ->check(CLI::PositiveNumber));
  group(command.add_option("--init-adapter", args.init_adapter, "where an initialiser is adapter: its folder")
            ->check(CLI::ExistingDirectory));
  group(command.add_option("--init-file", args.init.file, "for file: a .npy matrix of floats")->check(CLI::ExistingFile));
  group(command
            .add_option("--num-transformer-submodules", args.submodules,
                        "of PEFT's layout; prompts: 1, or 2 to write as many unused rows as PEFT does; prefixes: 2 as PEFT, whose layers "
                        "share pairs, or 1 (default: prompts 1, prefixes 2)")
            ->check(CLI::Range(1, 2)));
}

void add_loop_options(CLI::App& command, TrainArguments& args) {
  const auto group = [&](CLI::Option* option) { option->group("Training")->capture_default_str(); };
  group(command.add_option("--max-steps", args.max_steps, "updates; 0: --num-train-epochs")->check(CLI::NonNegativeNumber));
  group(command.add_option("--num-train-epochs", args.num_train_epochs)->check(CLI::PositiveNumber));
  group(command.add_option("--batch-size", args.batch_size, "sequences of an update")->check(CLI::PositiveNumber));
  group(command
            .add_option("--batch-tokens", args.batch_tokens,
                        "rows of an update (of sources in an encoder-decoder), prompts included; replaces --batch-size")
            ->check(CLI::NonNegativeNumber));
  group(command.add_option("--gradient-accumulation-steps", args.gradient_accumulation_steps, "cut each batch into so many parts")
            ->check(CLI::PositiveNumber));
  group(command.add_option("--loss", args.loss, "mean or sum over the target tokens")->check(CLI::IsMember({"mean", "sum"})));
  group(command.add_option("--z-loss", args.z_loss, "weight of log² Z (t5x: 1e-4)")->check(CLI::NonNegativeNumber));
  group(command
            .add_option("--dropout", args.dropout,
                        "rate in the net while training, frozen or not, where transformers has it: embeddings, what each sublayer adds, in "
                        "front of heads; of T5 also inside the feed-forward")
            ->check(CLI::Range(0.0, 0.99)));
  group(command.add_option("--attention-dropout", args.attention_dropout, "rate of attention probabilities (default: that of --dropout)")
            ->check(CLI::Range(0.0, 0.99)));
  group(command
            .add_option("--prefix-dropout", args.prefix_dropout,
                        "rate of the prefix's keys and values (P-Tuning v2's code: that of --dropout; Li and Liang: 0)")
            ->check(CLI::Range(0.0, 0.99)));
  group(
      command.add_option("--eval-steps", args.eval_steps, "evaluate every so many updates; 0: at the end")->check(CLI::NonNegativeNumber));
  group(command.add_option("--save-steps", args.save_steps, "save the training state every so many updates; 0: at evaluations")
            ->check(CLI::NonNegativeNumber));
  group(command
            .add_option("--early-stopping-patience", args.early_stopping_patience, "stop after so many evaluations without gain; 0: never")
            ->check(CLI::NonNegativeNumber));
  group(command.add_option("--metric", args.metric,
                           "chooses the checkpoint: accuracy, macro_f1; exact_match, f1, bleu, rouge_l or another metric "
                           "of `preamble score`, from greedy texts; loss, of the targets' tokens (quickest)"));
  group(command.add_option("--validation-samples", args.validation_samples, "draw so many validation rows; 0: all")
            ->check(CLI::NonNegativeNumber));
  group(command.add_option("--train-samples", args.train_samples, "draw so many training rows; 0: all")->check(CLI::NonNegativeNumber));
  group(
      command.add_option("--samples-seed", args.samples_seed,
                         "of these draws (default: --seed); Li and Liang 2021: 50, 100, 200, 500 rows, 5 draws, 2 seeds, and 30 % as many "
                         "validation rows"));
  group(command.add_option("--seed", args.seed, "of initialisation, shuffling and samples"));
  command.add_flag("--resume", args.resume, "go on from the training state in --output-dir")->group("Training");
}

}  // namespace

void add_train(CLI::App& app) {
  auto* command = app.add_subcommand(
      "train", "train a prompt or a prefix for a frozen language model, or the whole model, on a data set of inputs and targets");
  const auto options = std::make_shared<TrainOptions>();
  TrainArguments& args = options->arguments;
  args.init.tokens = 20;
  command->add_option("--model", args.model, "Hugging Face folder of the model")->required()->check(CLI::ExistingDirectory);
  command
      ->add_option(
          "--method", args.method,
          "what learns: prompt (rows in front of the input), ptuning (rows out of a network), prefix or deep-prompt (keys and values "
          "of every layer), head (an encoder's head alone), full; an encoder's head always learns with them")
      ->check(CLI::IsMember({"prompt", "ptuning", "prefix", "deep-prompt", "head", "full"}))
      ->capture_default_str();
  command->add_option("--trainable-layers", args.trainable_layers, "full: train the last so many layers alone; 0: everything")
      ->check(CLI::NonNegativeNumber);
  auto* train_file =
      command->add_option("--train-file", args.train_file, "JSONL, JSON, TSV, CSV; a set that --format names; CoNLL columns; SQuAD's JSON")
          ->check(CLI::ExistingPath);
  command->add_option("--validation-file", args.validation_file, "chooses the checkpoint")->check(CLI::ExistingPath);
  command->add_option("--output-dir", args.output_dir, "where the adapter (or the model) goes")->required();
  command->add_option("--memory-budget", args.memory_budget, "of activations: auto, none, min, or bytes such as 512M, 2G")
      ->capture_default_str();
  command->add_option("--weights", args.weights, "how frozen matrices are held: f32 or bf16")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  command->add_option("--json", args.json, "JSONL log, - for standard output");
  command->add_option("--dump-batches", args.dump_batches, "write the token ids of every batch as JSONL");
  command->add_option("--dump-initial", args.dump_initial, "write the initial prompt as safetensors");
  add_common(*command, options->common);
  options->task.add_to(*command);
  options->encoder.add_to(*command);
  add_prompt_options(*command, options);
  args.method_options.add_to(*command);
  add_loop_options(*command, args);
  add_options(*command, args.optimizer);
  command->callback([options, train_file] {
    TrainArguments& given = options->arguments;
    if (!options->encoder.tasks_file() && train_file->count() == 0) throw CLI::RequiredError("--train-file");
    if (given.method == "deep-prompt") given.method = "prefix";
    given.init.fallback = options->fallback == "tile"      ? TextFallback::tile
                          : options->fallback == "uniform" ? TextFallback::uniform
                                                           : TextFallback::sample_vocab;
    if (options->encoder.given()) {
      train_encoder_command(given, options->task, options->encoder);
    } else {
      options->encoder.require_fit({});
      train_command(given, options->task);
    }
  });
}

}  // namespace preamble
