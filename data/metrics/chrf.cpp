#include "data/metrics/chrf.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/metrics/ngrams.h"
#include "data/metrics/text.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble::metrics {
namespace {

/// Counts of one order of n-grams.
struct Overlap {
  std::int64_t hypothesis = 0;
  std::int64_t reference = 0;
  std::int64_t shared = 0;
};

bool is_ascii_punctuation(char32_t c) {
  return (c >= U'!' && c <= U'/') || (c >= U':' && c <= U'@') || (c >= U'[' && c <= U'`') || (c >= U'{' && c <= U'~');
}

NgramCounts count_chars_of(std::u32string_view text, std::size_t order) {
  NgramCounts counts;
  for (std::size_t first = 0; first + order <= text.size(); ++first) ++counts[encode_utf8(text.substr(first, order))];
  return counts;
}

/// Words, each with a punctuation mark at its end split off, or else one at its beginning.
Tokens words(std::string_view text) {
  Tokens result;
  for (const std::string& word : split_whitespace(text)) {
    const std::u32string chars = decode_utf8(word);
    const std::u32string_view view = chars;
    std::size_t cut = 0;
    if (view.size() > 1 && is_ascii_punctuation(view.back())) {
      cut = view.size() - 1;
    } else if (view.size() > 1 && is_ascii_punctuation(view.front())) {
      cut = 1;
    }
    if (cut > 0) result.push_back(encode_utf8(view.substr(0, cut)));
    result.push_back(encode_utf8(view.substr(cut)));
  }
  return result;
}

/// The n-grams of all orders, characters first.
std::vector<NgramCounts> count_all(const std::string& text, const ChrfOptions& options) {
  const std::string cased = options.lowercase ? lowered(text) : text;
  std::string joined;
  for (const std::string& word : split_whitespace(cased)) joined += word;
  const std::u32string chars = decode_utf8(joined);
  std::vector<NgramCounts> counts;
  for (std::size_t n = 1; n <= options.char_order; ++n) counts.push_back(count_chars_of(chars, n));
  if (options.word_order == 0) return counts;
  const Tokens tokens = words(cased);
  for (std::size_t n = 1; n <= options.word_order; ++n) counts.push_back(count_ngrams(tokens, n));
  return counts;
}

std::vector<Overlap> compare(const std::vector<NgramCounts>& hypothesis, const std::vector<NgramCounts>& reference) {
  std::vector<Overlap> overlaps(hypothesis.size());
  for (std::size_t n = 0; n < hypothesis.size(); ++n) {
    // an order that the reference is too short for does not count against the hypothesis
    overlaps[n].hypothesis = reference[n].empty() ? 0 : total_count(hypothesis[n]);
    overlaps[n].reference = total_count(reference[n]);
    overlaps[n].shared = clipped_hits(hypothesis[n], reference[n]);
  }
  return overlaps;
}

double f_score(const std::vector<Overlap>& overlaps, double beta) {
  double precision = 0.0;
  double recall = 0.0;
  double orders = 0.0;
  for (const Overlap& overlap : overlaps) {
    if (overlap.hypothesis == 0 || overlap.reference == 0) continue;
    precision += static_cast<double>(overlap.shared) / static_cast<double>(overlap.hypothesis);
    recall += static_cast<double>(overlap.shared) / static_cast<double>(overlap.reference);
    orders += 1.0;
  }
  if (precision + recall == 0.0) return 0.0;
  precision /= orders;
  recall /= orders;
  return (1.0 + beta * beta) * precision * recall / (beta * beta * precision + recall);
}

}  // namespace

double chrf(const Corpus& corpus, const ChrfOptions& options) {
  require_scorable(corpus, "chrf");
  require<ConfigError>(options.char_order + options.word_order > 0, "chrf: orders 0 and 0; wanted at least one order of n-grams");
  std::vector<Overlap> sum(options.char_order + options.word_order);
  for (const Instance& instance : corpus) {
    const auto hypothesis = count_all(instance.hypothesis, options);
    std::vector<Overlap> best;
    double best_score = -1.0;
    for (const std::string& reference : instance.references) {
      auto overlaps = compare(hypothesis, count_all(reference, options));
      const double score = f_score(overlaps, options.beta);
      if (score <= best_score) continue;
      best_score = score;
      best = std::move(overlaps);
    }
    for (std::size_t n = 0; n < sum.size(); ++n) {
      sum[n].hypothesis += best[n].hypothesis;
      sum[n].reference += best[n].reference;
      sum[n].shared += best[n].shared;
    }
  }
  return 100.0 * f_score(sum, options.beta);
}

}  // namespace preamble::metrics
