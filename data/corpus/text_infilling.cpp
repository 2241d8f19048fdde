#include "data/corpus/text_infilling.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>

namespace preamble {
namespace {

/// A Poisson number by inversion.
std::int64_t poisson(double mean, Random& random) {
  double left = static_cast<double>(random.uniform());
  double probability = std::exp(-mean);
  std::int64_t k = 0;
  // at 24 bits of the uniform number the tail ends far below this
  while (left >= probability && k < 1000) {
    left -= probability;
    probability *= mean / static_cast<double>(++k);
  }
  return k;
}

/// Lengths of spans that hold `noise` tokens together; lengths of 0 among them.
std::vector<std::int64_t> span_lengths(std::int64_t noise, double mean, Random& random) {
  std::vector<std::int64_t> lengths;
  while (noise > 0) {
    lengths.push_back(std::min(noise, poisson(mean, random)));
    noise -= lengths.back();
  }
  return lengths;
}

}  // namespace

std::vector<std::int32_t> infill(std::span<const std::int32_t> tokens, const InfillingRules& rules, std::span<const std::int32_t> words,
                                 Random& random) {
  const auto count = std::ssize(tokens);
  const auto noise = std::min(count, static_cast<std::int64_t>(std::ceil(static_cast<double>(count) * rules.density)));
  auto lengths = span_lengths(noise, rules.mean_length, random);
  // spans stand in front of, between or behind the tokens that stay, no two in one place; where there are more spans than places, the
  // empty ones are left out first, and others become one
  std::ranges::stable_partition(lengths, [](std::int64_t length) { return length > 0; });
  const auto places = random.permutation(static_cast<std::uint32_t>(count - noise + 1));
  std::map<std::int64_t, std::int64_t> spans;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (i < places.size() || lengths[i] > 0) spans[places[std::min(i, places.size() - 1)]] += lengths[i];
  }
  std::vector<std::int32_t> result;
  std::int64_t at = 0, kept = 0;
  while (true) {
    if (const auto span = spans.find(kept); span != spans.end()) {
      const bool other = rules.random_rate > 0 && !words.empty() && static_cast<double>(random.uniform()) < rules.random_rate;
      result.push_back(other ? words[random.below(static_cast<std::uint32_t>(words.size()))] : rules.mask);
      at += span->second;
    }
    if (at >= count) break;
    result.push_back(tokens[static_cast<std::size_t>(at++)]);
    ++kept;
  }
  return result;
}

std::vector<std::int32_t> permute_sentences(std::span<const std::int32_t> tokens, const std::vector<bool>& ends, Random& random) {
  std::vector<std::span<const std::int32_t>> sentences;
  std::size_t from = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i + 1 < tokens.size() && !ends[static_cast<std::size_t>(tokens[i])]) continue;
    sentences.push_back(tokens.subspan(from, i + 1 - from));
    from = i + 1;
  }
  std::vector<std::int32_t> result;
  for (const auto i : random.permutation(static_cast<std::uint32_t>(sentences.size())))
    result.insert(result.end(), sentences[i].begin(), sentences[i].end());
  return result;
}

}  // namespace preamble
