#include "models/generate/scores.h"

#include <algorithm>
#include <limits>

#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr float kLeastScore = -std::numeric_limits<float>::infinity();

}  // namespace

float& Scores::operator[](std::int32_t token) const {
  if (tokens_.empty()) return values_[static_cast<std::size_t>(token)];
  const auto end = tokens_.begin() + static_cast<std::ptrdiff_t>(changeable_);
  const auto found = std::lower_bound(tokens_.begin(), end, token);
  require<Error>(found != end && *found == token, "generate: a rule changes the score of token {}, which it has not asked for", token);
  return values_[static_cast<std::size_t>(found - tokens_.begin())];
}

void Scores::ban_all() {
  std::fill(values_.begin(), values_.end(), kLeastScore);
  others_are_banned_ = true;
}

void Scores::add_candidates(std::size_t count, std::int64_t first, std::vector<Candidate>& candidates) const {
  const std::size_t before = candidates.size();
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (others_are_banned_ && values_[i] == kLeastScore) continue;
    candidates.push_back({values_[i], first + token(i)});
  }
  const std::size_t added = candidates.size() - before;
  if (others_are_banned_ && added < count) add_banned(count - added, first, candidates);
}

/// All tokens but the last few candidates have score -inf: the smallest are the best of them.
void Scores::add_banned(std::size_t count, std::int64_t first, std::vector<Candidate>& candidates) const {
  std::vector<std::int32_t> allowed;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (values_[i] != kLeastScore) allowed.push_back(token(i));
  }
  std::sort(allowed.begin(), allowed.end());
  for (std::int32_t v = 0; v < vocabulary_ && count > 0; ++v) {
    if (std::binary_search(allowed.begin(), allowed.end(), v)) continue;
    candidates.push_back({kLeastScore, first + v});
    --count;
  }
}

}  // namespace preamble
