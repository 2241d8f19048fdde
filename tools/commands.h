// The commands of `preamble`. Each adds itself to the program and runs as the callback of its sub-command; errors are
// thrown, and `main` prints them.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace preamble {

void add_adapt(CLI::App& app);
void add_run(CLI::App& app);
void add_ensemble(CLI::App& app);
void add_eval(CLI::App& app);
void add_explain(CLI::App& app);
void add_generate(CLI::App& app);
void add_import(CLI::App& app);
void add_inspect(CLI::App& app);
void add_predict(CLI::App& app);
void add_quantise(CLI::App& app);
void add_score(CLI::App& app);
void add_similarity(CLI::App& app);
void add_sweep(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_train(CLI::App& app);
void add_transfer(CLI::App& app);

/// Options that every command has.
struct CommonOptions {
  int threads = 0;
};
void add_common(CLI::App& app, CommonOptions& options);
/// The device that this rank of several takes where `name` is `cuda` or `auto`; else `name`.
[[nodiscard]] std::string device_of_rank(const std::string& name);
/// The one of them that says how patient several processes are with each other.
void add_collective_timeout(CLI::App& app);

}  // namespace preamble
