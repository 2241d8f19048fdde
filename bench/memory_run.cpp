#include "bench/memory_run.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/fma_peak.h"
#include "bench/process.h"
#include "bench/ragged_examples.h"
#include "engine/backend/backend.h"
#include "engine/backend/cpu/gemm.h"
#include "engine/core/parallel.h"
#include "engine/runtime/explain.h"
#include "models/made_up_model.h"
#include "peft/training_step.h"

namespace preamble::bench {
namespace {

constexpr std::uint64_t kSeed = 20210418;
constexpr double kProbeSeconds = 0.1;
constexpr std::int64_t kFloatBytes = 4;

/// Processor time of this process so far.
double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Steps on one batch: the first one does not count.
void train(TrainingStep& step, const LossBatch& batch, const MemoryOptions& options, MemoryResult& result) {
  constexpr double kLearningRate = 1e-3;
  std::vector<double> seconds;
  result.cpu_seconds = std::numeric_limits<double>::max();
  for (int i = 0; i <= options.steps; ++i) {
    const auto before = std::chrono::steady_clock::now();
    const double cpu_before = cpu_seconds();
    const StepResult made = step.update(std::span(&batch, 1), kLearningRate, i);
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - before;
    if (i == 0) result.first_loss = made.loss;
    result.last_loss = made.loss;
    result.rows = made.rows;
    if (i > 0) {
      seconds.push_back(passed.count());
      result.cpu_seconds = std::min(result.cpu_seconds, cpu_seconds() - cpu_before);
    }
    result.fma_peak = std::max(result.fma_peak, fma_peak(result.threads, kProbeSeconds));
  }
  std::ranges::sort(seconds);
  result.step_seconds = seconds.front();
  result.median_seconds = seconds[seconds.size() / 2];
}

std::int64_t tokens_in(const std::vector<Example>& examples) {
  std::int64_t tokens = 0;
  for (const auto& example : examples) tokens += static_cast<std::int64_t>(example.source.size() + example.target.size());
  return tokens;
}

void time_ragged(TrainingStep& step, const MemoryOptions& options, const LanguageModel& model, MemoryResult& result) {
  const auto examples = ragged_examples(options.batch, model, kSeed);
  const LossBatch batch = whole_batch(step.model(), examples);
  MemoryResult timed;
  timed.threads = result.threads;
  train(step, batch, options, timed);
  result.ragged_seconds = timed.step_seconds;
  result.ragged_tokens = tokens_in(examples);
}

}  // namespace

std::int64_t MemoryResult::tolerance() const noexcept { return std::max<std::int64_t>(planned.total() / 20, 32LL << 20U); }

bool MemoryResult::plan_holds() const noexcept { return std::abs(measured_peak - planned.total()) <= tolerance(); }

MemoryResult run_memory(const MemoryOptions& options) {
  MemoryResult result;
  result.method = options.method.method;
  set_threads(options.threads);
  result.threads = threads();
  const ProcessMemory idle = process_memory();
  Parameters::Options parameters;
  parameters.weights = options.weights;
  parameters.activations = options.compute;
  if (options.method.method == "full") parameters.frozen = freeze_none;
  const auto model = made_up_model(options.model, random_source(kSeed), parameters);
  const auto method = made_up_method(options.method, *model, kSeed);
  result.batch = describe(options.batch, *model);
  const auto examples = made_up_examples(options.batch, *model, kSeed);
  TrainingStepOptions step_options;
  step_options.memory = options.memory;
  TrainingStep step(made_up_loss(options.batch, *model, examples), *method, step_options);
  const LossBatch batch = whole_batch(step.model(), examples);
  const auto optimizer = make_adamw(step.shapes(), {});
  step.optimize_with(*optimizer);
  result.planned = memory_need(*model, step, *optimizer);
  result.step_flops = step.program().flops();
  result.saved = saved_bytes(step.program(), LossModel::kLoss);
  result.tokens = tokens_in(examples);
  const std::uint64_t hash = model->parameters().frozen_hash();
  train(step, batch, options, result);
  if (options.ragged) time_ragged(step, options, *model, result);
  const std::int64_t layers = model->attention_shape(model->prefix_site()).layers;
  result.saved_widths = static_cast<double>(result.saved) / static_cast<double>(result.rows * layers * model->width() * kFloatBytes);
  result.backbone_unchanged = model->parameters().frozen_hash() == hash;
  result.measured_peak = process_memory().peak - idle.resident;
  return result;
}

nlohmann::json to_json(const MemoryResult& r) {
  return {{"method", r.method},
          {"batch", r.batch},
          {"planned_peak_bytes", r.planned.total()},
          {"measured_peak_bytes", r.measured_peak},
          {"weights_bytes", r.planned.weights},
          {"frozen_bytes", r.planned.frozen},
          {"trained_bytes", r.planned.trained},
          {"optimizer_bytes", r.planned.optimizer},
          {"arena_bytes", r.planned.arena},
          {"gradient_bytes", r.planned.gradients},
          {"lower_bound_bytes", r.planned.lower_bound},
          {"saved_bytes", r.saved},
          {"saved_widths", r.saved_widths},
          {"step_ms", r.step_seconds * 1e3},
          {"step_ms_median", r.median_seconds * 1e3},
          {"step_cpu_ms", r.cpu_seconds * 1e3},
          {"rows_per_step", r.rows},
          {"tokens_per_step", r.tokens},
          {"tokens_per_second", static_cast<double>(r.tokens) / r.step_seconds},
          {"ragged_ms", r.ragged_seconds * 1e3},
          {"ragged_tokens_per_second", r.ragged_seconds > 0 ? static_cast<double>(r.ragged_tokens) / r.ragged_seconds : 0},
          {"step_gflop", r.step_flops * 1e-9},
          {"gflops", r.gflops()},
          {"fma_peak_gflops", r.fma_peak * 1e-9},
          {"fma_peak_share", r.fma_share()},
          {"fma_peak_share_of_cpu_time", r.fma_share_of_cpu_time()},
          {"backbone_unchanged", r.backbone_unchanged},
          {"plan_holds", r.plan_holds()},
          {"first_loss", r.first_loss},
          {"last_loss", r.last_loss},
          {"threads", r.threads},
          {"blas", cpu::gemm_description()},
          {"instruction_set", cpu_backend().instruction_set()}};
}

}  // namespace preamble::bench
