#include <memory>

#include "tools/commands.h"
#include "tools/encoder_options.h"
#include "tools/train_command.h"
#include "tools/train_encoder.h"
#include "tools/train_method.h"

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
  group(command.add_option("--num-virtual-tokens", args.init.tokens, "number of virtual tokens of a prompt or prefix")
            ->check(CLI::PositiveNumber)
            ->capture_default_str());
  group(command.add_option(
      "--prompt-tuning-init", args.prompt_tuning_init,
      "initial values of a prompt: random, random_symmetric, normal, sample_vocab, class_labels, text, adapter or file (default: "
      "class_labels with --labels, else sample_vocab)"));
  group(command.add_option("--prompt-tuning-init-text", args.init.text, "text for --prompt-tuning-init text"));
  group(command
            .add_option("--prompt-tuning-init-fallback", options->fallback,
                        "initial values of the rows behind a text that is shorter than the prompt: tile, uniform or sample_vocab")
            ->check(CLI::IsMember({"tile", "uniform", "sample_vocab"})));
  group(command
            .add_option("--prompt-tuning-init-population", args.init.population,
                        "sample_vocab draws from this many first rows of the vocabulary")
            ->check(CLI::PositiveNumber));
  group(command
            .add_option("--init-adapter", args.init_adapter,
                        "folder of the adapter for --prompt-tuning-init adapter or --prefix-init adapter")
            ->check(CLI::ExistingDirectory));
  group(command.add_option("--init-file", args.init.file, "file for --prompt-tuning-init file: a .npy matrix of floats")
            ->check(CLI::ExistingFile));
  group(command
            .add_option(
                "--num-transformer-submodules", args.submodules,
                "encoder-decoder models: copies in PEFT's file; prompts: 1, or 2 to write the unused rows that PEFT writes; prefixes: 2 as "
                "PEFT, whose layers share keys and values, or 1 (default: prompts 1, prefixes 2)")
            ->check(CLI::Range(1, 2)));
}

void add_loop_options(CLI::App& command, TrainArguments& args) {
  const auto group = [&](CLI::Option* option) { option->group("Training")->capture_default_str(); };
  group(command.add_option("--max-steps", args.max_steps, "number of updates; 0: as many as --num-train-epochs gives")
            ->check(CLI::NonNegativeNumber));
  group(command.add_option("--num-train-epochs", args.num_train_epochs, "number of passes over the training data")
            ->check(CLI::PositiveNumber));
  group(command.add_option("--batch-size", args.batch_size, "number of sequences per update")->check(CLI::PositiveNumber));
  group(command
            .add_option("--batch-tokens", args.batch_tokens,
                        "largest number of tokens per update, virtual ones included (encoder-decoder models: tokens of sources); replaces "
                        "--batch-size")
            ->check(CLI::NonNegativeNumber));
  group(command
            .add_option("--gradient-accumulation-steps", args.gradient_accumulation_steps,
                        "number of parts into which each batch is cut to save memory")
            ->check(CLI::PositiveNumber));
  group(command.add_option("--loss", args.loss, "loss of an update: mean or sum over the target tokens")
            ->check(CLI::IsMember({"mean", "sum"})));
  group(command.add_option("--z-loss", args.z_loss, "weight of the term log² Z in the loss (t5x: 1e-4)")->check(CLI::NonNegativeNumber));
  group(command
            .add_option(
                "--dropout", args.dropout,
                "dropout rate inside the model during training, at the places where transformers has it: embeddings, the output of each "
                "sublayer, the input of heads; in T5 also inside the feed-forward part")
            ->check(CLI::Range(0.0, 0.99)));
  group(command.add_option("--attention-dropout", args.attention_dropout, "dropout rate of attention probabilities (default: --dropout)")
            ->check(CLI::Range(0.0, 0.99)));
  group(command
            .add_option("--prefix-dropout", args.prefix_dropout,
                        "dropout rate of the prefix's keys and values (P-Tuning v2's code uses that of --dropout, Li and Liang 0)")
            ->check(CLI::Range(0.0, 0.99)));
  group(command.add_option("--eval-steps", args.eval_steps, "number of updates between evaluations; 0: evaluate once at the end")
            ->check(CLI::NonNegativeNumber));
  group(
      command.add_option("--save-steps", args.save_steps, "number of updates between saves of the training state; 0: save at evaluations")
          ->check(CLI::NonNegativeNumber));
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
  group(command.add_option("--seed", args.seed, "seed of initial values, shuffling and draws"));
  command.add_flag("--resume", args.resume, "continue from the training state in --output-dir")->group("Training");
  command
      .add_flag("--detect-anomaly", args.detect_anomaly,
                "check every value of every step and stop at the first infinity or NaN, even if loss and gradients are finite (slow)")
      ->group("Training");
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
          "deep-prompt (keys and values of every layer), head (the head of an encoder alone) or full (the whole model); the head of an "
          "encoder is always trained too")
      ->check(CLI::IsMember({"prompt", "ptuning", "prefix", "deep-prompt", "head", "full"}))
      ->capture_default_str();
  command->add_option("--trainable-layers", args.trainable_layers, "full: number of top layers to train; 0: train everything")
      ->check(CLI::NonNegativeNumber);
  auto* train_file =
      command
          ->add_option(
              "--train-file", args.train_file,
              "training data: JSONL, JSON, TSV, CSV; CoNLL columns or JSON with tokens (TOKEN_CLS); SQuAD's JSON (QUESTION_ANS); or "
              "the format that --format names")
          ->check(CLI::ExistingPath);
  command->add_option("--validation-file", args.validation_file, "validation data; the checkpoint with the best score on it is saved")
      ->check(CLI::ExistingPath);
  command->add_option("--output-dir", args.output_dir, "folder that gets the adapter (or the model)")->required();
  command
      ->add_option("--memory-budget", args.memory_budget,
                   "memory for activations: auto, none (no recomputation), min, or a number of bytes such as 512M or 2G")
      ->capture_default_str();
  command->add_option("--weights", args.weights, "element type in which frozen matrices are held: f32 or bf16")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  command->add_option("--json", args.json, "file that gets a JSON line per update; -: standard output");
  command->add_option("--dump-batches", args.dump_batches, "file that gets the token ids of every batch as JSONL");
  command->add_option("--dump-initial", args.dump_initial, "safetensors file that gets the initial values");
  add_common(*command, options->common);
  options->task.add_to(*command);
  options->encoder.add_to(*command);
  add_prompt_options(*command, options);
  add_options(*command, args.method_options);
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
