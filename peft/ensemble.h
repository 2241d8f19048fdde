// Several prompts, one answer (Lester et al. 2021, section 7).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace preamble {

/// What one member of an ensemble says about an example.
struct Vote {
  /// How votes become one answer.
  enum class Way : std::uint8_t { majority, probabilities, logits };

  std::int32_t choice = 0;
  /// Log-likelihood that the member gives to each class.
  std::vector<double> log_likelihoods;
};

/// The class that most members chose. The paper leaves ties open: here the one of the tied classes with the highest sum of
/// log-likelihoods over all members wins, and of equal sums the first. Throws ConfigError for no votes.
[[nodiscard]] std::int32_t majority_vote(std::span<const Vote> votes);

/// The class that the votes choose: `majority_vote`, or the largest mean over the members of the probabilities softmax(log_likelihoods), or
/// of the log-likelihoods themselves; of equal ones the first. Throws as `majority_vote`.
[[nodiscard]] std::int32_t vote_of(std::span<const Vote> votes, Vote::Way way);
/// The mean that `vote_of` compares, for each class.
[[nodiscard]] std::vector<double> mean_of_votes(std::span<const Vote> votes, Vote::Way way);

/// majority, probabilities or logits. `vote_way_of` throws ConfigError for another name.
[[nodiscard]] std::string_view name_of(Vote::Way way) noexcept;
[[nodiscard]] Vote::Way vote_way_of(std::string_view name);

}  // namespace preamble
