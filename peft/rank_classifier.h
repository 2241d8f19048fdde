// Classification by comparing the likelihoods of label words.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "data/examples.h"
#include "engine/runtime/session.h"
#include "models/language_model.h"
#include "peft/loss_model.h"
#include "peft/method.h"

namespace preamble {

/// Log-likelihoods of all classes for one example.
struct ClassScores {
  std::vector<double> log_likelihoods;  ///< per class: sum over the target's tokens, end token included

  /// The likeliest class; of equal ones the first.
  [[nodiscard]] std::int32_t best() const;
};

/// An encoder-decoder encodes each source once, and all its candidate targets attend to it; a decoder-only model reads the source
/// with each candidate behind it.
class RankClassifier {
 public:
  /// `targets`: ids of each class. `batch_rows`: about how many rows of sources a batch may have; a longer example still gets a
  /// batch of its own, up to `longest_source`. Throws UnsupportedError for a model without a language model loss.
  RankClassifier(LanguageModel& model, const Method& method, std::vector<std::vector<std::int32_t>> targets, std::int64_t longest_source,
                 std::int64_t batch_rows = 4096);

  /// From now on scores are relative to those of this input (Zhao et al. 2021: one without content): log p(class | input) - log p(class |
  /// empty), under the slot of each example. `slots`: how many there are.
  void calibrate(const Example& empty, std::int32_t slots);

  /// Scores in the order of the examples; the ranks of `world()` share them out. `slot`: the prompt to use for all of them; negative: each example's own.
  [[nodiscard]] std::vector<ClassScores> classify(std::span<const Example> examples, std::int32_t slot = -1,
                                                  const std::function<void(std::int64_t done)>& progress = {});

 private:
  /// Where each batch ends.
  [[nodiscard]] std::vector<std::size_t> batch_ends(std::span<const Example> examples) const;
  void run(std::span<const Example> examples, std::int32_t slot, std::vector<std::vector<double>>& scores);
  [[nodiscard]] LossBatch batch_of(std::span<const Example> examples, std::int32_t slot) const;

  LanguageModel& model_;
  std::vector<std::vector<std::int32_t>> targets_;
  std::int64_t source_rows_;
  std::int64_t sequences_;
  std::unique_ptr<LossModel> loss_;
  Conditioning conditioning_;
  Session session_;
  std::vector<ClassScores> prior_;  ///< of an input without content, by slot; empty: not calibrated
};

}  // namespace preamble
