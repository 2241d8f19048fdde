// Choosing tokens from a row of scores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/random.h"

namespace preamble {

/// A score and where it stands.
struct Candidate {
  float score;
  std::int64_t index;
};

/// Index of the largest score, the first of equals. Throws Error if a score is NaN. `scores` must not be empty.
[[nodiscard]] std::int64_t argmax(std::span<const float> scores);

/// out[v] = logits[v] - log Σ_u exp(logits[u]), in float with the sums of blocks in double. Throws Error if a logit is NaN or +inf.
void log_softmax(std::span<const float> logits, std::span<float> out);

/// The `count` largest scores, best first, the first of equals first; O(scores + count log count) for scores in no special order.
/// `found` is overwritten. `count` must not exceed the number of scores, which must not be NaN.
void largest(std::span<const float> scores, std::size_t count, std::vector<Candidate>& found);

/// Draws an index with probability softmax(scores). Throws Error if no score is above -inf or one is NaN.
[[nodiscard]] std::int64_t sample(std::span<const float> scores, Random& random);

/// Draws `count` different indices, each with probability softmax(scores) among those that are left, in the order drawn.
/// `found` is overwritten, `weights` is scratch. Throws Error as `sample`, and if fewer than `count` have a probability above 0.
void sample_distinct(std::span<const float> scores, std::size_t count, Random& random, std::vector<Candidate>& found,
                     std::vector<float>& weights);

}  // namespace preamble
