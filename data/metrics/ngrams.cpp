#include "data/metrics/ngrams.h"

#include <algorithm>

namespace preamble::metrics {

std::string join_tokens(const Tokens& tokens, std::size_t first, std::size_t order) {
  std::string joined;
  for (std::size_t i = first; i < first + order; ++i) {
    if (i != first) joined += ' ';
    joined += tokens[i];
  }
  return joined;
}

std::string join_tokens(const Tokens& tokens) { return join_tokens(tokens, 0, tokens.size()); }

NgramCounts count_ngrams(const Tokens& tokens, std::size_t order) {
  NgramCounts counts;
  for (std::size_t first = 0; first + order <= tokens.size(); ++first) ++counts[join_tokens(tokens, first, order)];
  return counts;
}

void raise_to(NgramCounts& maximum, const NgramCounts& counts) {
  for (const auto& [ngram, count] : counts) {
    auto& most = maximum[ngram];
    most = std::max(most, count);
  }
}

std::int64_t clipped_hits(const NgramCounts& counts, const NgramCounts& limit) {
  std::int64_t hits = 0;
  for (const auto& [ngram, count] : counts) hits += std::min(count, count_of(limit, ngram));
  return hits;
}

std::int64_t total_count(const NgramCounts& counts) {
  std::int64_t total = 0;
  for (const auto& [ngram, count] : counts) total += count;
  return total;
}

std::int64_t count_of(const NgramCounts& counts, const std::string& ngram) {
  const auto found = counts.find(ngram);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace preamble::metrics
