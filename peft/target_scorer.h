// How likely given targets are.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "data/examples.h"
#include "engine/runtime/session.h"
#include "models/language_model.h"
#include "peft/loss_model.h"
#include "peft/method.h"

namespace preamble {

/// The log-likelihood Σ_t log p(target[t] | source, target[< t]) of each example's own target, under its own slot. One use: it is compiled
/// for the examples of its construction.
class TargetScorer {
 public:
  /// Batches of up to `batch` examples. Model and method must outlive it. Throws ConfigError for no examples.
  TargetScorer(LanguageModel& model, const Method& method, std::vector<Example> examples, std::int64_t batch = 16);

  [[nodiscard]] std::vector<double> run();

 private:
  std::vector<Example> examples_;
  std::size_t batch_;
  std::unique_ptr<LossModel> loss_;
  Conditioning conditioning_;
  std::unique_ptr<Session> session_;
};

}  // namespace preamble
