#include <memory>

#include "tools/commands.h"
#include "tools/inspect_command.h"

namespace preamble {

void add_inspect(CLI::App& app) {
  struct Options {
    InspectArguments arguments;
    CommonOptions common;
  };
  auto* command = app.add_subcommand("inspect", "show what an adapter folder holds, and which words lie closest to its prompt rows");
  const auto options = std::make_shared<Options>();
  InspectArguments& args = options->arguments;
  command->add_option("--adapter", args.adapter, "adapter folder")->required()->check(CLI::ExistingDirectory);
  command->add_option("--model", args.model, "Hugging Face folder of the model; adds the share of trained parameters and the nearest words")
      ->check(CLI::ExistingDirectory);
  command->add_option("--neighbours", args.neighbours, "number of nearest words to show for each row, by cosine; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--json", args.json, "print one JSON object to standard output");
  add_common(*command, options->common);
  command->callback([options] { inspect_command(options->arguments); });
}

}  // namespace preamble
