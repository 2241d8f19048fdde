// One training run with random weights: what it was planned to take and what it took.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/compile/rematerialise.h"
#include "engine/core/dtype.h"
#include "peft/made_up_training.h"
#include "peft/memory_need.h"

namespace preamble::bench {

struct MemoryOptions {
  std::string model = "t5-base";
  MethodShape method;
  BatchShape batch;
  Dtype weights = Dtype::f32;
  Dtype compute = Dtype::f32;  ///< of activations
  bool ragged = false;         ///< also time batches whose sequences are half as long on average
  Budget memory;
  int steps = 3;
  int threads = 0;
};

struct MemoryResult {
  std::string method;
  std::string batch;
  MemoryNeed planned;
  std::int64_t measured_peak = 0;  ///< resident memory above the idle process
  std::int64_t saved = 0;          ///< bytes alive between the forward and the backward pass
  /// The same in numbers of the model's width, for each computed row and layer. Stacks of one model are equally deep.
  double saved_widths = 0;
  double step_seconds = 0;         ///< of the fastest step
  double median_seconds = 0;
  double cpu_seconds = 0;   ///< processor time of all threads in the step that took least of it
  std::int64_t rows = 0;    ///< computed rows of a step, prompts included
  std::int64_t tokens = 0;  ///< tokens of a step, prompts excluded
  double ragged_seconds = 0;  ///< of the fastest step on a ragged batch
  std::int64_t ragged_tokens = 0;
  double step_flops = 0;
  double fma_peak = 0;  ///< operations per second
  bool backbone_unchanged = true;
  double first_loss = 0;
  double last_loss = 0;
  int threads = 0;

  /// Bytes by which plan and measurement may differ.
  [[nodiscard]] std::int64_t tolerance() const noexcept;
  [[nodiscard]] bool plan_holds() const noexcept;
  [[nodiscard]] double gflops() const noexcept { return step_flops / step_seconds * 1e-9; }
  [[nodiscard]] double fma_share() const noexcept { return step_flops / step_seconds / fma_peak; }
  /// The same while the threads were on a core: what is left of it does not depend on who else uses the machine.
  [[nodiscard]] double fma_share_of_cpu_time() const noexcept { return step_flops / cpu_seconds / (fma_peak / threads); }
};

/// Builds the model, makes one step that does not count and then `steps` that do.
[[nodiscard]] MemoryResult run_memory(const MemoryOptions& options);

[[nodiscard]] nlohmann::json to_json(const MemoryResult& result);

}  // namespace preamble::bench
