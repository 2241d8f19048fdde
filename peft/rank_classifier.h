// Classification by comparing the likelihoods of label words.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "data/examples.h"
#include "engine/runtime/session.h"
#include "models/encoder_decoder.h"
#include "models/seq2seq_batch.h"
#include "peft/method.h"

namespace preamble {

/// Log-likelihoods of all classes for one example.
struct ClassScores {
  std::vector<double> log_likelihoods;  ///< per class: sum over the target's tokens, end token included

  /// The likeliest class; of equal ones the first.
  [[nodiscard]] std::int32_t best() const;
};

/// Each source is encoded once, and all its candidate targets attend to it.
class RankClassifier {
 public:
  /// `targets`: ids of each class. `batch_rows`: about how many encoder rows a batch may have; a longer example still gets a
  /// batch of its own, up to `longest_source`.
  RankClassifier(EncoderDecoder& model, const Method& method, std::vector<std::vector<std::int32_t>> targets, std::int64_t longest_source,
                 std::int64_t batch_rows = 4096);

  /// Scores in the order of the examples. `slot`: the prompt to use for all of them; negative: each example's own.
  [[nodiscard]] std::vector<ClassScores> classify(std::span<const Example> examples, std::int32_t slot = -1,
                                                  const std::function<void(std::int64_t done)>& progress = {});

 private:
  void run(std::span<const Example> examples, std::int32_t slot, std::vector<ClassScores>& scores);

  EncoderDecoder& model_;
  std::vector<std::vector<std::int32_t>> targets_;
  std::int64_t source_rows_;
  std::int64_t sequences_;
  Conditioning conditioning_;
  Session session_;
};

}  // namespace preamble
