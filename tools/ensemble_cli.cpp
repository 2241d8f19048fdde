#include <memory>

#include "tools/commands.h"
#include "tools/ensemble_command.h"

namespace preamble {

void add_ensemble(CLI::App& app) {
  struct Options {
    EnsembleArguments arguments;
    TaskOptions task;
    EncoderOptions encoder;
    GenerationOptions generation;
    CommonOptions common;
  };
  auto* command = app.add_subcommand("ensemble", "let several adapters of one method answer together, in one forward pass, and compare");
  const auto options = std::make_shared<Options>();
  EnsembleArguments& args = options->arguments;
  command->add_option("--model", args.model, "Hugging Face folder of the model")->required()->check(CLI::ExistingDirectory);
  command->add_option("--adapter", args.adapters, "adapter folder; give the option again for each further member")
      ->required()
      ->check(CLI::ExistingDirectory)
      ->allow_extra_args(false);
  command->add_option("--file", args.file, "labelled data file, as `preamble eval` takes it")->required()->check(CLI::ExistingPath);
  command
      ->add_option("--combine", args.ways,
                   "how the members become one answer, separated by commas: majority (of final texts; ties by the sum of log-probabilities), "
                   "probabilities (their mean) or logits (their mean); --output gets the first")
      ->delimiter(',')
      ->check(CLI::IsMember({"majority", "probabilities", "logits"}))
      ->capture_default_str();
  command->add_option("--output", args.output, "file for the answers of the ensemble, as JSONL");
  command->add_option("--batch-size", args.batch_size, "number of examples that are generated for at a time")->check(CLI::PositiveNumber);
  args.weights.add_to(*command);
  command->add_flag("--json", args.json, "print one JSON object to standard output");
  add_common(*command, options->common);
  options->task.add_to(*command);
  options->encoder.add_to(*command);
  options->generation.add_to(*command);
  command->callback([options] { ensemble_command(options->arguments, options->task, options->encoder, options->generation); });
}

}  // namespace preamble
