#include <memory>

#include "tools/commands.h"
#include "tools/similarity_command.h"

namespace preamble {

void add_similarity(CLI::App& app) {
  struct Options {
    SimilarityArguments arguments;
    CommonOptions common;
  };
  auto* command = app.add_subcommand("similarity", "show how alike tasks are, by the cosines of their prompts");
  const auto options = std::make_shared<Options>();
  SimilarityArguments& args = options->arguments;
  command->add_option("--adapter", args.adapters, "folders of prompts of one model, two at least")->required()->check(CLI::ExistingDirectory);
  command->add_option("--csv", args.csv, "file that gets a line for each pair");
  command->add_option("--svg", args.svg, "file that gets a heat map");
  command->add_flag("--json", args.json, "print one JSON object to standard output");
  add_common(*command, options->common);
  command->footer(
      "A prompt of a similar task is a good start (Vu et al. 2022): train --prompt-tuning-init adapter --init-adapter FOLDER.");
  command->callback([options] { similarity_command(options->arguments); });
}

}  // namespace preamble
