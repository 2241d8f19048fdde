#include "engine/core/parallel.h"
#include "tools/commands.h"

namespace preamble {

void add_common(CLI::App& app, CommonOptions& options) {
  app.add_option_function<int>("--threads", [](const int& threads) { set_threads(threads); }, "worker threads; 0: one for each core")
      ->check(CLI::NonNegativeNumber)
      ->default_val(options.threads);
}

}  // namespace preamble
