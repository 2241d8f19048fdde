#include "peft/ensemble.h"

#include <algorithm>
#include <cmath>
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

std::vector<double> mean_of_votes(std::span<const Vote> votes, Vote::Way way) {
  (void)majority_vote(votes);  // checks them
  std::vector<double> mean(votes.front().log_likelihoods.size());
  for (const auto& vote : votes) {
    const double top = *std::ranges::max_element(vote.log_likelihoods);
    double sum = 0;
    for (const double x : vote.log_likelihoods) sum += std::exp(x - top);
    for (std::size_t c = 0; c < mean.size(); ++c) {
      const double x = vote.log_likelihoods[c];
      mean[c] += (way == Vote::Way::probabilities ? std::exp(x - top) / sum : x) / static_cast<double>(votes.size());
    }
  }
  return mean;
}

std::int32_t vote_of(std::span<const Vote> votes, Vote::Way way) {
  if (way == Vote::Way::majority) return majority_vote(votes);
  const auto mean = mean_of_votes(votes, way);
  return static_cast<std::int32_t>(std::ranges::max_element(mean) - mean.begin());
}

std::string_view name_of(Vote::Way way) noexcept {
  return way == Vote::Way::majority ? "majority" : way == Vote::Way::probabilities ? "probabilities" : "logits";
}

Vote::Way vote_way_of(std::string_view name) {
  for (const auto way : {Vote::Way::majority, Vote::Way::probabilities, Vote::Way::logits}) {
    if (name == name_of(way)) return way;
  }
  raise<ConfigError>("ensemble: '{}' was given; wanted majority, probabilities or logits", name);
}

}  // namespace preamble
