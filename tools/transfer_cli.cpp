#include <memory>

#include "tools/commands.h"
#include "tools/passed_on.h"
#include "tools/transfer_command.h"

namespace preamble {

void add_transfer(CLI::App& app) {
  struct Options {
    TransferArguments arguments;
    CommonOptions common;
  };
  auto* command = app.add_subcommand("transfer", "train on one set and evaluate on others without training, a prompt beside the whole model");
  const auto options = std::make_shared<Options>();
  TransferArguments& args = options->arguments;
  command->add_option("--model", args.model, "Hugging Face folder of the model")->required()->check(CLI::ExistingDirectory);
  command
      ->add_option("--sets", args.sets,
                   "JSON file: {\"train\": {\"name\", \"train_file\", \"validation_file\", \"options\"}, \"evaluate\": [{\"name\", \"file\", \"options\"}], "
                   "\"methods\": {\"prompt\": [options], \"full\": [options]}}; options are lists of those of train and eval")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_option("--output-dir", args.output_dir, "folder that gets a folder for each method and seed; what is there is not computed again")->required();
  command->add_option("--methods", args.methods, "methods of train; the gap is the first less the second")->delimiter(',')->capture_default_str();
  command->add_option("--seeds", args.seeds, "seeds of the runs")->delimiter(',')->capture_default_str();
  command->add_option("--csv", args.csv, "file that gets the number of each run");
  command->add_flag("--json", args.json, "print one JSON object to standard output");
  add_common(*command, options->common);
  command->callback([options, command] {
    options->arguments.passed_on = passed_on(*command);
    transfer_command(options->arguments);
  });
}

}  // namespace preamble
