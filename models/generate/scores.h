// The scores of one row on their way from the decoder to a choice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/generate/select.h"

namespace preamble {

/// Scores of all tokens of a vocabulary, or of some: of those that rules may change, and of the best others. Then each token that is not
/// listed has a score that is no better than any listed one that rules may not change; of equal ones it is the larger token.
class Scores {
 public:
  Scores() = default;
  /// values[v] is the score of token v.
  explicit Scores(std::span<float> values) : values_(values), vocabulary_(static_cast<std::int64_t>(values.size())) {}

  /// values[i] is the score of tokens[i]. The first `changeable` tokens are those that rules may change, in ascending order; the others
  /// come best first.
  Scores(std::span<float> values, std::span<const std::int32_t> tokens, std::size_t changeable, std::int64_t vocabulary)
      : values_(values), tokens_(tokens), changeable_(changeable), vocabulary_(vocabulary) {}

  /// The score of a token that rules may change. Throws Error for another.
  [[nodiscard]] float& operator[](std::int32_t token) const;

  /// Sets all scores to -inf, those that are not listed, too.
  void ban_all();

  /// The listed scores: of all tokens in their order, if all are.
  [[nodiscard]] std::span<float> values() const noexcept { return values_; }

  /// Appends candidates of which `count` are the best of the whole row (all, if it has fewer). The index of token v is `first` + v.
  void add_candidates(std::size_t count, std::int64_t first, std::vector<Candidate>& candidates) const;

 private:
  [[nodiscard]] std::int32_t token(std::size_t i) const noexcept { return tokens_.empty() ? static_cast<std::int32_t>(i) : tokens_[i]; }
  void add_banned(std::size_t count, std::int64_t first, std::vector<Candidate>& candidates) const;

  std::span<float> values_;
  std::span<const std::int32_t> tokens_;  ///< empty: all
  std::size_t changeable_ = 0;
  std::int64_t vocabulary_ = 0;
  bool others_are_banned_ = false;  ///< tokens that are not listed have score -inf
};

}  // namespace preamble
