#include "models/generate/select.h"

#include <algorithm>
#include <cmath>
#include <limits>

// the kernels' functions of a row, for every processor: a beam search takes the exponential of a whole vocabulary for each beam
#define PREAMBLE_ISA portable
#include "engine/backend/cpu/softmax_loss.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

bool better(const Candidate& a, const Candidate& b) { return a.score > b.score || (a.score == b.score && a.index < b.index); }

/// Uniform in [0, 1), 53 bits: 24 would leave rare tokens of a large vocabulary out of reach.
double uniform(Random& random) {
  const std::uint64_t high = random.bits();
  return static_cast<double>((high << 32U | random.bits()) >> 11U) * 0x1.0p-53;
}

float finite_maximum(std::span<const float> scores) {
  const float top = scores[static_cast<std::size_t>(argmax(scores))];
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

std::int64_t argmax(std::span<const float> scores) {
  float top = -std::numeric_limits<float>::infinity();
  std::size_t best = 0;
  bool has_nan = false;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    has_nan |= std::isnan(scores[i]);
    if (scores[i] > top) {
      top = scores[i];
      best = i;
    }
  }
  require<Error>(!has_nan, "generate: a score is NaN; wanted numbers");
  return static_cast<std::int64_t>(best);
}

void log_softmax(std::span<const float> logits, std::span<float> out) {
  const auto count = static_cast<std::int64_t>(logits.size());
  const float top = portable::largest_of(logits.data(), count);
  const bool is_number = !std::isnan(top);
  require<Error>(!is_number || std::isfinite(top), "generate: the largest score of a row is {}; wanted a number", top);
  const double sum = is_number ? portable::sum_of_exponentials<false>(logits.data(), top, static_cast<float*>(nullptr), count) : 0;
  require<Error>(is_number && !std::isnan(sum), "generate: a score is NaN; wanted numbers");
  const float log_sum = static_cast<float>(std::log(sum));
  for (std::size_t v = 0; v < logits.size(); ++v) out[v] = logits[v] - top - log_sum;
}

void largest(std::span<const float> scores, std::size_t count, std::vector<Candidate>& found) {
  found.clear();
  for (std::size_t i = 0; i < count; ++i) found.push_back({scores[i], static_cast<std::int64_t>(i)});
  // a heap whose front is the worst of those kept
  std::make_heap(found.begin(), found.end(), better);
  for (std::size_t i = count; i < scores.size() && count > 0; ++i) {
    if (scores[i] <= found.front().score) continue;
    std::pop_heap(found.begin(), found.end(), better);
    found.back() = {scores[i], static_cast<std::int64_t>(i)};
    std::push_heap(found.begin(), found.end(), better);
  }
  std::sort_heap(found.begin(), found.end(), better);
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
