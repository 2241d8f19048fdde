#include "tools/program.h"

#include <exception>
#include <ostream>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "engine/distributed/communicator.h"
#include "tools/commands.h"

namespace preamble {
namespace {

void add_commands(CLI::App& app) {
  app.require_subcommand(0, 1);
  add_adapt(app);
  add_run(app);
  add_ensemble(app);
  add_eval(app);
  add_explain(app);
  add_predict(app);
  add_generate(app);
  add_import(app);
  add_inspect(app);
  add_quantise(app);
  add_score(app);
  add_similarity(app);
  add_sweep(app);
  add_tokenize(app);
  add_train(app);
  add_transfer(app);
}

/// Names and descriptions, one a line.
std::string list_of_commands(const CLI::App& app) {
  std::string list;
  for (const CLI::App* command : app.get_subcommands({}))
    list += fmt::format("  {:<10} {}\n", command->get_name(), command->get_description());
  return list;
}

/// Commands that several processes can run together.
bool runs_together(std::string_view name) {
  return name == "train" || name == "eval" || name == "predict" || name == "sweep";
}

bool is_known(const CLI::App& app, std::string_view name) {
  for (const CLI::App* command : app.get_subcommands({})) {
    if (command->get_name() == name) return true;
  }
  return false;
}

/// `preamble train`, once that much is parsed.
std::string name_of_call(const CLI::App& app) {
  const auto given = app.get_subcommands();
  return given.empty() ? app.get_name() : app.get_name() + " " + given.front()->get_name();
}

}  // namespace

int run_program(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  constexpr int kWrongArguments = 2;
  CLI::App app("Prompt methods for frozen language models: prompt tuning, prefix-tuning, P-tuning v2.", "preamble");
  add_commands(app);
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (!first.starts_with('-') && !is_known(app, first)) {
    const std::string problem = first.empty() ? "no command was given" : fmt::format("unknown command '{}'", first);
    err << fmt::format("preamble: {}; wanted one of these\n{}", problem, list_of_commands(app));
    return kWrongArguments;
  }
  if (world().size() > 1 && !first.starts_with('-') && !runs_together(first)) {
    err << fmt::format("preamble: {} processes were started for '{}'; wanted one (train, eval, predict and sweep run on several)\n",
                       world().size(), first);
    return kWrongArguments;
  }
  try {
    app.parse(argc, argv);
    if (!app.get_subcommands().empty()) return 0;
    err << fmt::format("preamble: no command was given; wanted one of these\n{}", list_of_commands(app));
    return kWrongArguments;
  } catch (const CLI::Success& help) {
    return app.exit(help, out, err);
  } catch (const CLI::ParseError& error) {
    const std::string name = name_of_call(app);
    err << fmt::format("{}: {}\nRun {} --help for the options.\n", name, error.what(), name);
    return kWrongArguments;
  } catch (const std::exception& error) {
    err << fmt::format("preamble: {}\n", error.what());
    return 1;
  }
}

}  // namespace preamble
