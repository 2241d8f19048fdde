#include <chrono>
#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "engine/backend/choose.h"
#include "engine/backend/cuda/backend.h"
#include "engine/core/parallel.h"
#include "engine/core/warnings.h"
#include "engine/distributed/communicator.h"
#include "models/parameters.h"
#include "tools/commands.h"

namespace preamble {

std::string device_of_rank(const std::string& name) {
  // a launcher may show each rank its own GPU alone
  const int devices = cuda_device_count();
  if (world().size() == 1 || devices == 0 || (name != "cuda" && name != "auto")) return name;
  return fmt::format("cuda:{}", world().local_rank() % devices);
}

void add_collective_timeout(CLI::App& app) {
  app.add_option_function<double>(
         "--collective-timeout",
         [](const double& seconds) { world().set_patience(std::chrono::milliseconds(static_cast<std::int64_t>(1000 * seconds))); },
         "of several processes (mpirun): seconds that one waits for the others before all end with an error")
      ->check(CLI::Range(0.1, 1e6))
      ->default_str("600");
}

void add_common(CLI::App& app, CommonOptions& options) {
  app.add_option_function<int>(
         "--threads", [](const int& threads) { set_threads(threads); }, "number of worker threads; 0: one per core")
      ->check(CLI::NonNegativeNumber)
      ->default_val(options.threads);
  app.add_option_function<std::string>(
         "--device", [](const std::string& name) { set_default_backend(planning_backend_of(device_of_rank(name))); },
         "where programs run: cpu; cuda or cuda:N, an NVIDIA GPU; auto: a GPU where there is one. Of several processes on a machine each takes "
         "the GPU of its number there, unless N is given")
      ->default_str("cpu");
  add_collective_timeout(app);
  app.add_option_function<std::string>(
         "--compute", [](const std::string& type) { set_default_activations(type == "bf16" ? Dtype::bf16 : Dtype::f32); },
         "type of activations: f32, or bf16 with sums, statistics, losses and what is trained in f32")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->default_str("f32");
  app.add_flag_callback(
      "--strict", [] { set_strict_warnings(true); }, "treat every warning as an error");
}

}  // namespace preamble
