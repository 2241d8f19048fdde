// What the command lines of benchmarks have in common.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "engine/backend/choose.h"
#include "engine/core/parallel.h"

namespace preamble::bench {

/// Where a benchmark computes.
struct Machine {
  int threads = 0;
  std::string device = "cpu";

  void add_to(CLI::App& app, const std::string& about_device = "cpu, cuda or cuda:N") {
    app.add_option("--threads", threads, "0: one for each core")->check(CLI::Range(0, 1 << 10));
    app.add_option("--device", device, about_device);
  }
  void choose() const {
    set_threads(threads);
    set_default_backend(backend_of(device));
  }
};

/// Reads the arguments, then calls body() for the exit status; help and errors of parsing are shown and have a status of their own.
template <class Body>
int parsed(CLI::App& app, int argc, char** argv, const Body& body) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return body();
}

/// The exit status of run(argc, argv); an exception is told in one line with the benchmark's name, and the status is 1.
template <class Run>
int run_main(std::string_view name, int argc, char** argv, const Run& run) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench/{}: {}\n", name, error.what());
    return 1;
  }
}

}  // namespace preamble::bench
