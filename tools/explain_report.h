// How `preamble explain` shows a planned training step.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "engine/runtime/explain.h"
#include "models/cache_need.h"
#include "peft/memory_need.h"

namespace preamble {

/// One compiled training step.
struct PlannedStep {
  std::string method;  ///< prompt, full
  std::string batch = {};  ///< its lengths, in words
  MemoryNeed memory;
  double forward_flops = 0;
  double backward_flops = 0;
  double recomputed_flops = 0;
  std::vector<ScopeCost> parts;
  std::vector<PassReport> passes;
  std::vector<RowSpace> row_spaces;

  [[nodiscard]] double flops() const noexcept { return forward_flops + backward_flops + recomputed_flops; }
};

/// A part of the model in one or two steps; equal neighbouring layers are one line.
struct ReportLine {
  std::string part;  ///< as `encoder.block.1-11.self_attention`
  std::int64_t layers = 1;
  ScopeCost step;
  std::optional<ScopeCost> full;
};

/// Lines in the order of the steps. Numbered layers whose parts cost the same are joined.
[[nodiscard]] std::vector<ReportLine> report_lines(const PlannedStep& step, const PlannedStep* full);

[[nodiscard]] nlohmann::json to_json(const PlannedStep& step);

[[nodiscard]] nlohmann::json to_json(const CacheNeed& cache);
[[nodiscard]] std::string to_text(const CacheNeed& cache);

/// Tables of the parts, of memory and FLOPs in total, and of the passes. `full` may be null.
[[nodiscard]] std::string to_text(const PlannedStep& step, const PlannedStep* full);

}  // namespace preamble
