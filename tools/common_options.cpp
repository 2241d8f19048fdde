#include "engine/backend/choose.h"
#include "engine/core/parallel.h"
#include "engine/core/warnings.h"
#include "models/parameters.h"
#include "tools/commands.h"

namespace preamble {

void add_common(CLI::App& app, CommonOptions& options) {
  app.add_option_function<int>(
         "--threads", [](const int& threads) { set_threads(threads); }, "number of worker threads; 0: one per core")
      ->check(CLI::NonNegativeNumber)
      ->default_val(options.threads);
  app.add_option_function<std::string>(
         "--device", [](const std::string& name) { set_default_backend(planning_backend_of(name)); },
         "where programs run: cpu; cuda or cuda:N, an NVIDIA GPU; auto: a GPU where there is one")
      ->default_str("cpu");
  app.add_option_function<std::string>(
         "--compute", [](const std::string& type) { set_default_activations(type == "bf16" ? Dtype::bf16 : Dtype::f32); },
         "type of activations on a GPU: f32, or bf16 with sums, statistics, losses and what is trained in f32")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->default_str("f32");
  app.add_flag_callback(
      "--strict", [] { set_strict_warnings(true); }, "treat every warning as an error");
}

}  // namespace preamble
