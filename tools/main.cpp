#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tools/commands.h"

int main(int argc, char** argv) {
  CLI::App app("Prompt methods for frozen language models: prompt tuning, prefix-tuning, P-tuning v2.", "preamble");
  app.require_subcommand(0, 1);
  preamble::add_run(app);
  preamble::add_eval(app);
  preamble::add_explain(app);
  preamble::add_predict(app);
  preamble::add_generate(app);
  preamble::add_inspect(app);
  preamble::add_score(app);
  preamble::add_tokenize(app);
  preamble::add_train(app);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) {
      fmt::print(stderr, "preamble: no command was given; wanted one of these\n\n{}", app.help());
      return 2;
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    fmt::print(stderr, "preamble: {}\n", error.what());
    return 1;
  }
  return 0;
}
