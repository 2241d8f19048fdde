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

/// The order of candidates: a larger score, or an equal one with a smaller index.
[[nodiscard]] inline bool is_better(const Candidate& a, const Candidate& b) noexcept {
  return a.score > b.score || (a.score == b.score && a.index < b.index);
}

/// The `count` largest scores, best first, the first of equals first; O(scores + count log count) for scores in no special order.
/// `found` is overwritten. `count` must not exceed the number of scores, which must not be NaN.
void largest(std::span<const float> scores, std::size_t count, std::vector<Candidate>& found);

/// Keeps the `count` best candidates, best first; all, if there are fewer. Scores must not be NaN.
void keep_best(std::vector<Candidate>& candidates, std::size_t count);

/// Draws an index with probability softmax(scores). Throws Error if no score is above -inf or one is NaN.
[[nodiscard]] std::int64_t sample(std::span<const float> scores, Random& random);

/// Draws `count` different indices, each with probability softmax(scores) among those that are left, in the order drawn.
/// `found` is overwritten, `weights` is scratch. Throws Error as `sample`, and if fewer than `count` have a probability above 0.
void sample_distinct(std::span<const float> scores, std::size_t count, Random& random, std::vector<Candidate>& found,
                     std::vector<float>& weights);

}  // namespace preamble
