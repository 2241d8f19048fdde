#include "peft/ensemble.h"

#include <tuple>

#include "engine/core/error.h"

namespace preamble {

std::int32_t majority_vote(std::span<const Vote> votes) {
  require<ConfigError>(!votes.empty(), "majority vote: no votes were given; wanted one at least");
  const std::size_t classes = votes[0].log_likelihoods.size();
  std::vector<std::int64_t> counts(classes);
  std::vector<double> sums(classes);
  for (const auto& vote : votes) {
    require<ShapeError>(vote.log_likelihoods.size() == classes && vote.choice >= 0 && static_cast<std::size_t>(vote.choice) < classes,
                        "majority vote: choice {} among {} classes was given; the first vote has {}", vote.choice, vote.log_likelihoods.size(), classes);
    ++counts[static_cast<std::size_t>(vote.choice)];
    for (std::size_t c = 0; c < classes; ++c) sums[c] += vote.log_likelihoods[c];
  }
  std::size_t best = 0;
  for (std::size_t c = 1; c < classes; ++c) {
    if (std::tie(counts[c], sums[c]) > std::tie(counts[best], sums[best])) best = c;
  }
  return static_cast<std::int32_t>(best);
}

}  // namespace preamble
