#include "models/generate/select.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// Uniform in [0, 1), 53 bits: 24 would leave rare tokens of a large vocabulary out of reach.
double uniform(Random& random) {
  const std::uint64_t high = random.bits();
  return static_cast<double>((high << 32U | random.bits()) >> 11U) * 0x1.0p-53;
}

float finite_maximum(std::span<const float> scores) {
  float top = -std::numeric_limits<float>::infinity();
  bool has_nan = false;
  for (const float score : scores) {
    has_nan |= std::isnan(score);
    if (score > top) top = score;
  }
  require<Error>(!has_nan, "generate: a score is NaN; wanted numbers");
  require<Error>(std::isfinite(top), "generate: the largest score of a row is {}; wanted a number", top);
  return top;
}

/// First index at which the running sum of `weight(i)` exceeds `target`; the last positive one where rounding keeps it below.
template <class Weight>
std::size_t index_at(std::size_t count, double target, Weight weight) {
  double sum = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double w = weight(i);
    if (w <= 0) continue;
    sum += w;
    last = i;
    if (sum > target) break;
  }
  return last;
}

}  // namespace

void largest(std::span<const float> scores, std::size_t count, std::vector<Candidate>& found) {
  found.clear();
  for (std::size_t i = 0; i < count; ++i) found.push_back({scores[i], static_cast<std::int64_t>(i)});
  // a heap whose front is the worst of those kept
  std::make_heap(found.begin(), found.end(), is_better);
  for (std::size_t i = count; i < scores.size() && count > 0; ++i) {
    if (scores[i] <= found.front().score) continue;
    std::pop_heap(found.begin(), found.end(), is_better);
    found.back() = {scores[i], static_cast<std::int64_t>(i)};
    std::push_heap(found.begin(), found.end(), is_better);
  }
  std::sort_heap(found.begin(), found.end(), is_better);
}

void keep_best(std::vector<Candidate>& candidates, std::size_t count) {
  const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(std::min(count, candidates.size()));
  std::partial_sort(candidates.begin(), end, candidates.end(), is_better);
  candidates.erase(end, candidates.end());
}

std::int64_t sample(std::span<const float> scores, Random& random) {
  const float top = finite_maximum(scores);
  const auto weight = [&](std::size_t i) { return static_cast<double>(std::exp(scores[i] - top)); };
  double sum = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) sum += weight(i);
  return static_cast<std::int64_t>(index_at(scores.size(), uniform(random) * sum, weight));
}

void sample_distinct(std::span<const float> scores, std::size_t count, Random& random, std::vector<Candidate>& found,
                     std::vector<float>& weights) {
  const float top = finite_maximum(scores);
  weights.resize(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) weights[i] = std::exp(scores[i] - top);
  found.clear();
  while (found.size() < count) {
    double sum = 0;
    for (const float w : weights) sum += w;
    require<Error>(sum > 0, "generate: {} continuations have a probability above 0; wanted {} (fewer beams, or larger top_k and top_p)",
                   found.size(), count);
    const std::size_t i = index_at(weights.size(), uniform(random) * sum, [&](std::size_t j) { return static_cast<double>(weights[j]); });
    found.push_back({scores[i], static_cast<std::int64_t>(i)});
    weights[i] = 0;
  }
}

}  // namespace preamble
