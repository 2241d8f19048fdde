// Logits of an encoder with heads for a data set.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/runtime/session.h"
#include "models/heads/headed_encoder.h"
#include "peft/method.h"
#include "peft/tasks/labelled_data.h"

namespace preamble {

class Predictor {
 public:
  /// Compiles a program for batches of up to `batch_rows` tokens, or one example of `longest` if that is more, and of up to 128 sequences.
  /// It sees what training does to the method and the heads.
  Predictor(HeadedEncoder encoder, const Method& method, std::int64_t longest, std::int64_t batch_rows = 2048);

  [[nodiscard]] const HeadedLimits& limits() const noexcept { return limits_; }
  /// Logits of what carries a label in each example (see HeadLogits), in their order; the ranks of `world()` share out the examples.
  [[nodiscard]] std::vector<HeadLogits> predict(std::span<const Example> examples);

 private:
  /// Which examples run together.
  [[nodiscard]] std::vector<std::vector<std::size_t>> batches_of(std::span<const Example> examples) const;
  /// Appends the logits of a batch.
  void run(std::span<const Example* const> examples, std::vector<HeadLogits>& logits);

  HeadedLimits limits_;
  Conditioning conditioning_;
  EncoderCapacity capacity_;
  Session session_;
};

}  // namespace preamble
