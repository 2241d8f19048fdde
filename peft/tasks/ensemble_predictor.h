// What several adapters with their heads say together (Lester et al. 2021, section 6, for heads).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "peft/tasks/predictor.h"

namespace preamble {

/// One prediction out of those of several adapters for the same example. Classes of sequences or tokens: the logarithm of the mean of
/// their probabilities. Numbers and the ends of answers, whose logits are compared between windows: the mean of the logits. Throws
/// ShapeError for none, or for different numbers of logits.
[[nodiscard]] HeadLogits mean_prediction(std::span<const HeadLogits> members, const HeadedLimits::Shape& head);

/// Logits of all examples as `members` adapters predict them together. Slot i, and head i where each brings its own, is adapter i.
/// Rows of all adapters share the batches.
[[nodiscard]] std::vector<HeadLogits> predict_together(Predictor& predictor, std::span<const Example> examples, std::size_t members);

}  // namespace preamble
