#include <memory>
#include <string>

#include "engine/core/parallel.h"
#include "models/generate/generation_config_file.h"
#include "tools/commands.h"
#include "tools/generation_options.h"
#include "tools/run_command.h"

namespace preamble {
namespace {

struct RunOptions {
  RunArguments arguments;
  CommonOptions common;
  GenerationOptions generation;
  std::string budget = "auto", kept = "exact";
};

}  // namespace

void add_run(CLI::App& app) {
  auto* command =
      app.add_subcommand("run", "run one batch from a safetensors file through a model, to compare the results with other implementations");
  const auto options = std::make_shared<RunOptions>();
  RunArguments& args = options->arguments;
  command->add_option("--model", args.model, "model folder")->required()->check(CLI::ExistingDirectory);
  command->add_option("--adapter", args.adapters, "adapter folder; several folders become slots 0, 1, ...")
      ->check(CLI::ExistingDirectory)
      ->allow_extra_args(false);
  command->add_option("--trainable", args.trainable, "safetensors file with the weights of the reparametrisation")
      ->check(CLI::ExistingFile);
  command->add_option("--method", args.method, "full: train every parameter")->check(CLI::IsMember({"full"}));
  command->add_option("--task", args.task, "task of an encoder's head")
      ->check(CLI::IsMember({"SEQ_CLS", "MULTIPLE_CHOICE", "TOKEN_CLS", "QUESTION_ANS", "MASKED_LM", "FEATURE_EXTRACTION"}));
  command->add_flag("--grad", args.grad, "write the gradients too");
  command->add_flag("--generate", args.generate, "write generated sequences");
  command->add_option("--steps", args.steps, "number of training steps on the batch")->check(CLI::NonNegativeNumber);
  command->add_option("--gradient-accumulation-steps", args.accumulation, "number of parts into which the batch is cut")
      ->check(CLI::PositiveNumber);
  command->add_option("--memory-budget", options->budget,
                      "memory for activations: auto, none (no recomputation), min, or a number of bytes such as 512M or 2G");
  command->add_option("--kept-values", options->kept, "form in which activations may be kept for the backward pass: exact, bf16, int8")
      ->check(CLI::IsMember({"exact", "bf16", "int8"}));
  args.weights.add_to(*command);
  command->add_option("--in", args.in, "safetensors file with the input tensors")->required()->check(CLI::ExistingFile);
  command->add_option("--out", args.out, "safetensors file that gets the results")->required();
  add_common(*command, options->common);
  add_options(*command, args.optimizer);
  options->generation.add_to(*command);
  command->callback([options] {
    RunArguments& given = options->arguments;
    given.memory = Budget::parse(options->budget, options->kept);
    if (given.generate) {
      given.generation = read_generation_config(given.model);
      given.generation.do_sample = false;
      options->generation.apply(given.generation);
    }
    run_command(given);
  });
}

}  // namespace preamble
