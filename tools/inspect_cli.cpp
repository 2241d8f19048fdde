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
  command->add_option("--report", args.report,
                      "HTML file that gets an analysis: nearest words of each row by cosine and dot product, clusters, shared words, drift and "
                      "label words through training (copies of train --checkpoint-steps), all against random vectors; of a prefix the words "
                      "whose activations it resembles");
  command->add_option("--words", args.report_options.words, "report: words to follow through training (default: the task's label words)")->delimiter(',');
  command->add_option("--cluster-threshold", args.report_options.cluster_threshold, "report: smallest mean cosine of rows in one cluster")
      ->check(CLI::Range(-1.0, 1.0))
      ->capture_default_str();
  command->add_option("--prefix-tokens", args.report_options.prefix_tokens, "report: number of words that a prefix is compared with")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--json", args.json, "print one JSON object to standard output");
  add_common(*command, options->common);
  command->callback([options] { inspect_command(options->arguments); });
}

}  // namespace preamble
