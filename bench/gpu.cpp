// Training steps of the sizes of published models on a GPU: time and memory, in bf16 beside the check of its loss in float32.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/backend/choose.h"
#include "engine/backend/cuda/backend.h"
#include "engine/core/error.h"
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
  };
}

struct Result {
  double loss = 0, milliseconds = 0, fastest = 0;
  std::int64_t planned = 0, measured = 0;
};

Result run(const Workload& work, const std::string& device, Dtype compute, const Budget& budget, int steps) {
  set_default_activations(compute);
  const std::int64_t before = cuda_memory(backend_of(device)).used();
  Parameters::Options options;
  options.activations = compute;
  if (work.method.method == "full") options.frozen = freeze_none;
  const auto model = made_up_model(work.model, random_source(kSeed), options);
  const auto method = made_up_method(work.method, *model, kSeed);
  const auto examples = made_up_examples(work.batch, *model, kSeed);
  TrainingStepOptions step_options;
  step_options.memory = budget;
  TrainingStep step(made_up_loss(work.batch, *model, examples), *method, step_options);
  const LossBatch batch = whole_batch(step.model(), examples);
  const auto optimizer = make_adamw(step.shapes(), {});
  step.optimize_with(*optimizer);
  Result result;
  result.planned = memory_need(*model, step, *optimizer).total();
  constexpr int kWarm = 3;
  std::vector<double> times;
  for (int i = 0; i < steps + kWarm; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const StepResult made = step.update(std::span(&batch, 1), 1e-3, i);
    const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - begin;
    if (i == 0) result.loss = made.loss;
    if (i >= kWarm) times.push_back(passed.count());
  }
  result.measured = cuda_memory(backend_of(device)).used() - before;
  std::ranges::sort(times);
  result.milliseconds = times[times.size() / 2];
  result.fastest = times.front();
  return result;
}

int main_of(int argc, char** argv) {
  CLI::App app("Time and memory of training steps on a GPU");
  std::string device = "cuda:0", json, only;
  int steps = 20;
  bool smallest = false, check = true;
  app.add_option("--device", device)->capture_default_str();
  app.add_option("--model", only, "this workload alone");
  app.add_option("--steps", steps)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_flag("--min", smallest, "also with --memory-budget min");
  app.add_flag("!--no-check", check, "do not compare the loss with that in float32");
  app.add_option("--json", json, "JSON lines");
  CLI11_PARSE(app, argc, argv);
  set_default_backend(backend_of(device));
  std::ofstream log;
  if (!json.empty()) log.open(json);
  constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
  bool right = true;
  fmt::print("{:14} {:>7} {:>9} {:>9} {:>11} {:>11} {:>10}\n", "model", "budget", "ms", "fastest", "planned GiB", "measured", "loss");
  for (const auto& work : workloads()) {
    if (!only.empty() && only != work.model) continue;
    double reference = std::nan("");
    if (check) reference = run(work, device, Dtype::f32, Budget::automatic(), 1).loss;
    for (const bool min : {false, true}) {
      if (min && !smallest) continue;
      const Result r = run(work, device, Dtype::bf16, min ? Budget::smallest() : Budget::automatic(), steps);
      const bool agrees = !check || std::abs(r.loss - reference) <= 0.02 * std::abs(reference);
      right = right && agrees;
      fmt::print("{:14} {:>7} {:9.2f} {:9.2f} {:11.2f} {:11.2f} {:10.4f}{}\n", work.model, min ? "min" : "auto", r.milliseconds, r.fastest,
                 static_cast<double>(r.planned) / kGiB, static_cast<double>(r.measured) / kGiB, r.loss,
                 agrees ? "" : fmt::format("  float32 has {:.4f}", reference));
      std::fflush(stdout);
      if (log) {
        log << nlohmann::json({{"model", work.model},
                               {"method", work.method.method},
                               {"budget", min ? "min" : "auto"},
                               {"step_ms", r.milliseconds},
                               {"fastest_ms", r.fastest},
                               {"planned_bytes", r.planned},
                               {"measured_bytes", r.measured},
                               {"loss", r.loss},
                               {"float32_loss", check ? nlohmann::json(reference) : nlohmann::json()}})
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
