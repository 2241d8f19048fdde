// What several adapters with their heads say together (Lester et al. 2021, section 6, for heads).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "peft/ensemble.h"
#include "peft/tasks/predictor.h"

namespace preamble {

/// One prediction out of those of several adapters for the same example. Classes of sequences or tokens, and the choices of an example: the
/// logarithm of the mean of their probabilities. Numbers and the ends of answers, whose logits are compared between windows: the mean of
/// the logits. Throws ShapeError for none, or for different numbers of logits.
[[nodiscard]] HeadLogits mean_prediction(std::span<const HeadLogits> members, const HeadedLimits::Shape& head);

/// Logits of all examples [member][example] as each of `members` adapters predicts them. Slot i, and head i where each brings its own, is
/// adapter i. Rows of all adapters share the batches.
[[nodiscard]] std::vector<std::vector<HeadLogits>> predict_each(Predictor& predictor, std::span<const Example> examples, std::size_t members);

/// What the members [member][example] say together. A prediction is logits again, so that `LabelledData` scores it as any other.
///   probabilities  the logarithm of the mean of the probabilities: of classes, of choices, and of the two ends of an answer inside
///                  their window; numbers: their mean
///   logits         the mean of the logits
///   majority       classes and choices: the one that most members choose, ties by the sum of the log-probabilities; answers: the text that
///                  most members give, see `LabelledData::majority`; numbers: their mean
[[nodiscard]] std::vector<HeadLogits> combined_predictions(const LabelledData& data, const std::vector<std::vector<HeadLogits>>& members,
                                                           const HeadedLimits::Shape& head, Vote::Way way);

/// Logits of all examples as `members` adapters predict them together. Slot i, and head i where each brings its own, is adapter i.
/// Rows of all adapters share the batches.
[[nodiscard]] std::vector<HeadLogits> predict_together(Predictor& predictor, std::span<const Example> examples, std::size_t members);

}  // namespace preamble
