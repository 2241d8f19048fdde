// Training steps of the sizes of published models on a GPU: time and memory, in bf16 beside the check of its loss in float32, of full and
// of ragged batches, and of each step of the programs. Started by mpirun, each rank has a GPU and a batch of its own:
// `mpirun -n 2 bench/gpu --model gpt2-medium`.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/ragged_examples.h"
#include "bench/step_times.h"
#include "engine/backend/choose.h"
#include "engine/backend/cuda/backend.h"
#include "engine/core/error.h"
#include "engine/distributed/launch.h"
#include "engine/optim/optimizer.h"
#include "models/made_up_model.h"
#include "peft/made_up_training.h"
#include "peft/memory_need.h"
#include "peft/training_step.h"

namespace preamble::bench {
namespace {

constexpr std::uint64_t kSeed = 20210418;

struct Workload {
  std::string model;
  MethodShape method;
  BatchShape batch;
  bool checked = true;  ///< may be compared with float32
};

/// The workloads of bench/README.md.
std::vector<Workload> workloads() {
  const auto prefix = [](std::int64_t tokens, std::vector<std::string> sites = {}) {
    return MethodShape{.method = "prefix", .virtual_tokens = tokens, .mlp = 0, .sites = std::move(sites)};
  };
  return {
      {"gpt2-medium", prefix(10), {.sequences = 16, .tokens = 512}},
      {"t5-large", {.method = "prompt", .virtual_tokens = 100}, {.sequences = 16, .source = 512, .target = 32}},
      {"bert-large", prefix(128), {.sequences = 32, .tokens = 256}},
      {"bart-large", prefix(200, {"encoder_self", "decoder_self", "cross"}), {.sequences = 16, .source = 512, .target = 64}},
      {"gpt2-xl", prefix(10), {.sequences = 8, .tokens = 1000}},
      {"t5-xl", {.method = "prompt", .virtual_tokens = 100}, {.sequences = 16, .source = 512, .target = 32}},
      {"t5-xxl", {.method = "prompt", .virtual_tokens = 100}, {.sequences = 16, .source = 512, .target = 32}, false},
  };
}

struct Result {
  double loss = 0, milliseconds = 0, fastest = 0, ragged = 0;
  std::int64_t planned = 0, measured = 0;
  std::vector<StepTime> steps;  ///< if they were asked for
};

struct Runs {
  int timed = 20;
  Communicator* ranks = nullptr;  ///< those that mpirun has started, each with a batch of its own
  int by_step = 0;  ///< in which each step of the programs is timed
};

Result run(const Workload& work, const std::string& device, Dtype compute, const Budget& budget, const Runs& runs) {
  set_default_activations(compute);
  const Backend& backend = backend_of(device);
  const std::int64_t before = cuda_memory(backend).used();
  Parameters::Options options;
  options.activations = compute;
  if (work.method.method == "full") options.frozen = freeze_none;
  const auto model = made_up_model(work.model, random_source(kSeed), options);
  const auto method = made_up_method(work.method, *model, kSeed);
  const auto examples = made_up_examples(work.batch, *model, kSeed);
  TrainingStepOptions step_options;
  step_options.memory = budget;
  step_options.ranks = runs.ranks;
  const std::size_t first_part = runs.ranks != nullptr ? static_cast<std::size_t>(runs.ranks->rank()) : 0;
  TrainingStep step(made_up_loss(work.batch, *model, examples), *method, step_options);
  const auto optimizer = make_adamw(step.shapes(), {});
  step.optimize_with(*optimizer);
  Result result;
  result.planned = memory_need(*model, step, *optimizer).total();
  constexpr int kWarm = 3;
  std::int64_t updates = 0;
  /// Milliseconds, ascending.
  const auto time = [&](const LossBatch& batch) {
    std::vector<double> times;
    for (int i = 0; i < runs.timed + kWarm; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      const StepResult made = step.update(std::span(&batch, 1), 1e-3, updates, first_part);
      const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - begin;
      if (updates++ == 0) result.loss = made.loss;
      if (i >= kWarm) times.push_back(passed.count());
    }
    std::ranges::sort(times);
    return times;
  };
  const LossBatch batch = whole_batch(step.model(), examples);
  const std::vector<double> times = time(batch);
  result.milliseconds = times[times.size() / 2];
  result.fastest = times.front();
  result.measured = cuda_memory(backend).used() - before;
  if (runs.timed > 1) {
    const std::vector<double> ragged = time(whole_batch(step.model(), ragged_examples(work.batch, *model, kSeed)));
    result.ragged = ragged[ragged.size() / 2];
  }
  if (runs.by_step > 0) {
    time_cuda_steps(backend, true);
    for (int i = 0; i < runs.by_step; ++i) step.update(std::span(&batch, 1), 1e-3, updates++, first_part);
    time_cuda_steps(backend, false);
    result.steps = cuda_step_times(backend);
  }
  return result;
}

nlohmann::json json_of(const std::vector<StepTime>& steps, int runs) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& step : steps) list.push_back({{"step", step.step}, {"count", step.runs / runs}, {"ms", step.milliseconds / runs}});
  return list;
}

int main_of(int argc, char** argv) {
  CLI::App app("Time and memory of training steps on a GPU");
  std::string device = "cuda:0", json;
  std::vector<std::string> only;
  Runs runs;
  bool smallest = false, check = true;
  app.add_option("--device", device)->capture_default_str();
  app.add_option("--model", only, "these workloads alone");
  app.add_option("--steps", runs.timed, "updates that are timed")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--by-step", runs.by_step, "further updates in which each step of the programs is timed")->capture_default_str();
  app.add_flag("--min", smallest, "also with --memory-budget min");
  app.add_flag("!--no-check", check, "do not compare the loss with that in float32");
  app.add_option("--json", json, "JSON lines");
  CLI11_PARSE(app, argc, argv);
  std::unique_ptr<LaunchedProcesses> processes;
  if (launched()) {
    constexpr std::chrono::minutes kPatience(10);
    processes = join_launched(kPatience);
    device = fmt::format("cuda:{}", processes->local_rank());
    runs.ranks = processes.get();
  }
  // the losses of all ranks are one number
  const bool prints = processes == nullptr || processes->is_root();
  set_default_backend(backend_of(device));
  std::ofstream log;
  if (!json.empty() && prints) log.open(json);
  constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
  bool right = true;
  if (prints) fmt::print("{:14} {:>7} {:>9} {:>9} {:>9} {:>11} {:>11} {:>10}\n", "model", "budget", "ms", "fastest", "ragged", "planned GiB", "measured", "loss");
  for (const auto& work : workloads()) {
    if (!only.empty() && std::ranges::find(only, work.model) == only.end()) continue;
    double reference = std::nan("");
    const bool checked = check && work.checked;
    if (checked) reference = run(work, device, Dtype::f32, Budget::automatic(), {.timed = 1, .ranks = runs.ranks}).loss;
    for (const bool min : {false, true}) {
      if (min && !smallest) continue;
      const Result r = run(work, device, Dtype::bf16, min ? Budget::smallest() : Budget::automatic(), runs);
      const bool agrees = !checked || std::abs(r.loss - reference) <= 0.02 * std::abs(reference);
      right = right && agrees;
      if (!prints) continue;
      fmt::print("{:14} {:>7} {:9.2f} {:9.2f} {:9.2f} {:11.2f} {:11.2f} {:10.4f}{}\n", work.model, min ? "min" : "auto", r.milliseconds,
                 r.fastest, r.ragged, static_cast<double>(r.planned) / kGiB, static_cast<double>(r.measured) / kGiB, r.loss,
                 agrees ? "" : fmt::format("  float32 has {:.4f}", reference));
      if (runs.by_step > 0) print_steps(r.steps, runs.by_step);
      std::fflush(stdout);
      if (log.is_open()) {
        log << nlohmann::json({{"model", work.model},
                               {"method", work.method.method},
                               {"budget", min ? "min" : "auto"},
                               {"step_ms", r.milliseconds},
                               {"fastest_ms", r.fastest},
                               {"ragged_ms", r.ragged},
                               {"planned_bytes", r.planned},
                               {"measured_bytes", r.measured},
                               {"loss", r.loss},
                               {"steps", json_of(r.steps, std::max(runs.by_step, 1))},
                               {"float32_loss", checked ? nlohmann::json(reference) : nlohmann::json()}})
                   .dump()
            << '\n';
      }
    }
  }
  return right ? 0 : 1;
}

}  // namespace
}  // namespace preamble::bench

int main(int argc, char** argv) {
  try {
    return preamble::bench::main_of(argc, argv);
  } catch (const preamble::Error& error) {
    std::fprintf(stderr, "gpu: %s\n", error.what());
    return 1;
  }
}
