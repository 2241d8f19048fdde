#include <memory>

#include "tools/commands.h"
#include "tools/quantise_command.h"

namespace preamble {

void add_quantise(CLI::App& app) {
  struct Options {
    QuantiseArguments arguments;
    CommonOptions common;
  };
  auto* command = app.add_subcommand("quantise", "write a model folder whose matrices are quantised, and show the error of each");
  const auto options = std::make_shared<Options>();
  QuantiseArguments& args = options->arguments;
  args.weights.weights = "int8";
  command->add_option("--model", args.model, "Hugging Face folder of the model")->required()->check(CLI::ExistingDirectory);
  command->add_option("--output", args.output, "folder that gets the quantised model; commands open it as any other model")->required();
  args.weights.add_to(*command);
  command->add_flag("--json", args.json, "print one JSON object to standard output");
  add_common(*command, options->common);
  command->callback([options] { quantise_command(options->arguments); });
}

}  // namespace preamble
