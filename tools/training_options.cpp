#include "tools/training_options.h"

namespace preamble {

void add_prompt_options(CLI::App& command, TrainArguments& args, std::string& fallback) {
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
            .add_option("--prompt-tuning-init-fallback", fallback,
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
  group(command.add_option("--max-steps", args.max_steps, "number of updates; 0: as many as the epochs have")
            ->check(CLI::NonNegativeNumber));
  group(command.add_option("--batch-size", args.batch_size, "number of sequences per update")->check(CLI::PositiveNumber));
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
            .add_option("--checkpoint-steps", args.checkpoint_steps,
                        "number of updates between copies of what is trained, in folders checkpoint-N of --output-dir, from N = 0 on; 0: "
                        "none")
            ->check(CLI::NonNegativeNumber));
  group(command.add_option("--seed", args.seed, "seed of initial values, shuffling and draws"));
  command.add_flag("--resume", args.resume, "continue from the training state in --output-dir")->group("Training");
  command
      .add_flag("--detect-anomaly", args.detect_anomaly,
                "check every value of every step and stop at the first infinity or NaN, even if loss and gradients are finite (slow)")
      ->group("Training");
  command
      .add_option("--memory-budget", args.memory_budget,
                   "memory for activations: auto, none (no recomputation), min, or a number of bytes such as 512M or 2G")
      ->capture_default_str();
  command.add_option("--kept-values", args.kept_values,
                   "form in which activations may be kept for the backward pass: exact; bf16; int8: arguments of activation functions in 8 bits, "
                   "others in bf16. Within the memory budget, beside computing values again; gradients are then those of rounded values")
      ->check(CLI::IsMember({"exact", "bf16", "int8"}))
      ->capture_default_str();
  args.weights.add_to(command);
  command.add_option("--json", args.json, "file that gets a JSON line per update; -: standard output");
  command.add_option("--dump-batches", args.dump_batches, "file that gets the token ids of every batch as JSONL");
  command.add_option("--dump-initial", args.dump_initial, "safetensors file that gets the initial values");
}

TextFallback text_fallback_of(const std::string& name) {
  return name == "tile" ? TextFallback::tile : name == "uniform" ? TextFallback::uniform : TextFallback::sample_vocab;
}

}  // namespace preamble
