#include "data/corpus/span_noise.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// Half to even, as Python and TensorFlow round.
std::int64_t rounded(double x) { return static_cast<std::int64_t>(std::nearbyint(x)); }

}  // namespace

SpanCounts span_counts(std::int64_t tokens, const SpanNoise& noise) {
  require<ConfigError>(tokens >= 2, "span corruption: a window of {} tokens; wanted 2 at least", tokens);
  require<ConfigError>(noise.density > 0 && noise.density < 1 && noise.mean_length >= 1,
                       "span corruption: density {} and spans of {} tokens; wanted a density between 0 and 1 and spans of 1 at least",
                       noise.density, noise.mean_length);
  SpanCounts counts;
  counts.tokens = tokens;
  counts.noise = std::clamp<std::int64_t>(rounded(static_cast<double>(tokens) * noise.density), 1, tokens - 1);
  counts.spans = std::max<std::int64_t>(1, rounded(static_cast<double>(counts.noise) / noise.mean_length));
  require<ConfigError>(counts.spans <= counts.noise && counts.spans <= counts.clean(),
                       "span corruption: {} spans of {} noise tokens between {} clean ones; wanted longer spans or less noise", counts.spans,
                       counts.noise, counts.clean());
  return counts;
}

SpanCounts largest_window(std::int64_t inputs, const SpanNoise& noise) {
  SpanCounts counts = span_counts(std::max<std::int64_t>(2, inputs - 1), noise);
  require<ConfigError>(counts.inputs() <= inputs, "span corruption: inputs of {} tokens; wanted room for a window of 2 tokens", inputs);
  for (SpanCounts next = counts; next.inputs() <= inputs; next = span_counts(counts.tokens + 1, noise)) counts = next;
  if (noise.density == 0.5 && counts.targets() > counts.inputs()) counts = span_counts(counts.tokens - 1, noise);
  return counts;
}

std::vector<std::int64_t> random_segmentation(std::int64_t items, std::int64_t segments, Random& random) {
  // which of the places between two items begin a segment
  const auto places = random.permutation(static_cast<std::uint32_t>(items - 1));
  std::vector<std::uint32_t> begins(places.begin(), places.begin() + (segments - 1));
  std::ranges::sort(begins);
  std::vector<std::int64_t> lengths;
  std::int64_t from = 0;
  for (const auto place : begins) {
    lengths.push_back(place + 1 - from);
    from = place + 1;
  }
  lengths.push_back(items - from);
  return lengths;
}

std::vector<bool> random_spans_noise_mask(const SpanCounts& counts, Random& random) {
  const auto noise = random_segmentation(counts.noise, counts.spans, random);
  const auto clean = random_segmentation(counts.clean(), counts.spans, random);
  std::vector<bool> mask;
  for (std::size_t i = 0; i < noise.size(); ++i) {
    mask.insert(mask.end(), static_cast<std::size_t>(clean[i]), false);
    mask.insert(mask.end(), static_cast<std::size_t>(noise[i]), true);
  }
  return mask;
}

std::int64_t random_prefix_length(std::int64_t tokens, Random& random) {
  require<ConfigError>(tokens >= 2, "prefix LM: a window of {} tokens; wanted 2 at least", tokens);
  return 1 + random.below(static_cast<std::uint32_t>(tokens - 1));
}

std::vector<std::int32_t> with_sentinels(std::span<const std::int32_t> tokens, const std::vector<bool>& mask, bool replaced,
                                         std::span<const std::int32_t> sentinels) {
  std::vector<std::int32_t> result;
  std::size_t used = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (mask[i] != replaced) {
      result.push_back(tokens[i]);
    } else if (i == 0 || mask[i - 1] != replaced) {
      require<ConfigError>(used < sentinels.size(), "span corruption: more than {} spans; the tokenizer has no more sentinels (<extra_id_0>, ...)",
                           sentinels.size());
      result.push_back(sentinels[used++]);
    }
  }
  return result;
}

}  // namespace preamble
