#include <memory>
#include <string>
#include <vector>

#include "tools/commands.h"
#include "tools/passed_on.h"
#include "tools/sweep_command.h"

namespace preamble {

void add_sweep(CLI::App& app) {
  struct Options {
    SweepArguments arguments;
    std::vector<std::string> values;
    CommonOptions common;
  };
  auto* command = app.add_subcommand("sweep", "run a grid of trainings from a TOML file, and write a table and plots of their results");
  const auto options = std::make_shared<Options>();
  SweepArguments& args = options->arguments;
  command->add_option("plan", args.plan, "TOML file: [train] options of `preamble train`, [sweep] axes with lists of values, [[variant]] named "
                                         "settings, [evaluate] options of `preamble eval`, [adapt] options of `preamble adapt` for the axis adaptation-steps, "
                                         "[[plot]] x and series")
      ->required()
      ->check(CLI::ExistingFile);
  command
      ->add_option("--output-dir", args.output_dir,
                   "folder for NAME.csv, the plots and the runs; a run that the CSV has is not repeated, an interrupted one is resumed")
      ->required();
  command->add_option("--set", options->values, "NAME=VALUE: what $NAME stands for in the file; give the option again for further names")
      ->allow_extra_args(false);
  command->add_flag("--keep", args.keep, "keep the models of full fine-tuning");
  command->add_flag("--plot-only", args.plot_only, "run nothing: draw the results that there are");
  add_common(*command, options->common);
  command->callback([options, command] {
    options->arguments.passed_on = passed_on(*command);
    for (const auto& pair : options->values) {
      const auto equals = pair.find('=');
      if (equals == std::string::npos) throw CLI::ValidationError("--set", "'" + pair + "' was given; wanted NAME=VALUE");
      options->arguments.values[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
    sweep_command(options->arguments);
  });
}

}  // namespace preamble
