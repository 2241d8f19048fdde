// Options of `train` for models with heads, as the command line gives them.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/encoder_options.h"
#include "tools/task_options.h"

namespace preamble::testing {

using Line = std::vector<std::string>;

struct EncoderCommandOptions {
  explicit EncoderCommandOptions(const Line& line) : app("", "train") {
    files.add_to(app);
    task.add_to(app);
    app.parse(Line(line.rbegin(), line.rend()));
  }

  CLI::App app;
  TaskOptions files;
  EncoderOptions task;
};

}  // namespace preamble::testing
