// Several prompts, one answer (Lester et al. 2021, section 7).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace preamble {

/// What one member of an ensemble says about an example.
struct Vote {
  std::int32_t choice = 0;
  /// Log-likelihood that the member gives to each class.
  std::vector<double> log_likelihoods;
};

/// The class that most members chose. The paper leaves ties open: here the one of the tied classes with the highest sum of
/// log-likelihoods over all members wins, and of equal sums the first. Throws ConfigError for no votes.
[[nodiscard]] std::int32_t majority_vote(std::span<const Vote> votes);

}  // namespace preamble
