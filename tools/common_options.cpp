#include "engine/core/parallel.h"
#include "engine/core/warnings.h"
#include "tools/commands.h"

namespace preamble {

void add_common(CLI::App& app, CommonOptions& options) {
  app.add_option_function<int>(
         "--threads", [](const int& threads) { set_threads(threads); }, "number of worker threads; 0: one per core")
      ->check(CLI::NonNegativeNumber)
      ->default_val(options.threads);
  app.add_flag_callback(
      "--strict", [] { set_strict_warnings(true); }, "treat every warning as an error");
}

}  // namespace preamble
