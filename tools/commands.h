// The commands of `preamble`. Each adds itself to the program and runs as the callback of its sub-command; errors are
// thrown, and `main` prints them.
#pragma once

#include <CLI/CLI.hpp>

namespace preamble {

void add_run(CLI::App& app);
void add_eval(CLI::App& app);
void add_explain(CLI::App& app);
void add_generate(CLI::App& app);
void add_inspect(CLI::App& app);
void add_predict(CLI::App& app);
void add_score(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_train(CLI::App& app);

/// Options that every command has.
struct CommonOptions {
  int threads = 0;
};
void add_common(CLI::App& app, CommonOptions& options);

}  // namespace preamble
