// The golden cases of the metrics.
#pragma once

#include <nlohmann/json.hpp>

#include "data/metrics/corpus.h"
#include "engine/core/file.h"
#include "tests/support/golden.h"

namespace preamble::testing {

/// tests/golden/metrics/cases.json.
[[nodiscard]] inline const nlohmann::json& metric_cases() {
  static const nlohmann::json kCases = nlohmann::json::parse(read_text(golden("metrics/cases.json")));
  return kCases;
}

/// The made-up outputs and references that the `generation` scores are about.
[[nodiscard]] inline metrics::Corpus golden_corpus() {
  metrics::Corpus corpus;
  for (const auto& instance : metric_cases().at("corpus")) corpus.push_back({instance.at("hypothesis"), instance.at("references")});
  return corpus;
}

/// What the program that defines the metric says about `golden_corpus`.
[[nodiscard]] inline double golden_score(const char* name) { return metric_cases().at("generation").at(name).get<double>(); }

}  // namespace preamble::testing
