#include "data/metrics/bleu.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "data/metrics/ngrams.h"
#include "data/metrics/text.h"

namespace preamble::metrics {
namespace {

enum class EmptyReference : std::uint8_t { counts, ignored };
enum class ShortHypothesis : std::uint8_t { floored, negative };

std::int64_t size(const Tokens& tokens) { return static_cast<std::int64_t>(tokens.size()); }

/// The length closest to the hypothesis; the shorter of two equally close ones.
std::int64_t closest_length(std::int64_t hypothesis, const std::vector<Tokens>& references, EmptyReference empty) {
  std::int64_t closest = 0;
  std::int64_t smallest = std::numeric_limits<std::int64_t>::max();
  for (const Tokens& reference : references) {
    if (reference.empty() && empty == EmptyReference::ignored) continue;
    const std::int64_t difference = std::abs(size(reference) - hypothesis);
    if (difference < smallest || (difference == smallest && size(reference) < closest)) {
      smallest = difference;
      closest = size(reference);
    }
  }
  return closest;
}

void add(BleuStatistics& sum, const Tokens& hypothesis, const std::vector<Tokens>& references, EmptyReference empty, ShortHypothesis rule) {
  for (std::size_t n = 1; n <= kBleuOrder; ++n) {
    NgramCounts most;
    for (const Tokens& reference : references) raise_to(most, count_ngrams(reference, n));
    sum.hits[n - 1] += clipped_hits(count_ngrams(hypothesis, n), most);
    const std::int64_t total = size(hypothesis) - static_cast<std::int64_t>(n) + 1;
    sum.totals[n - 1] += rule == ShortHypothesis::floored ? std::max<std::int64_t>(total, 0) : total;
  }
  sum.hypothesis_tokens += size(hypothesis);
  sum.reference_tokens += closest_length(size(hypothesis), references, empty);
}

template <class Tokenize>
BleuStatistics collect(const Corpus& corpus, EmptyReference empty, ShortHypothesis rule, const Tokenize& tokenize) {
  BleuStatistics sum;
  for (const Instance& instance : corpus) {
    std::vector<Tokens> references;
    for (const std::string& reference : instance.references) references.push_back(tokenize(reference));
    add(sum, tokenize(instance.hypothesis), references, empty, rule);
  }
  return sum;
}

double brevity_penalty(const BleuStatistics& sum) {
  if (sum.hypothesis_tokens == 0) return sum.reference_tokens == 0 ? 1.0 : 0.0;
  return std::exp(std::min(0.0, 1.0 - static_cast<double>(sum.reference_tokens) / static_cast<double>(sum.hypothesis_tokens)));
}

/// BP · exp(Σ ln p / orders) over the first `orders` precisions; 0 if one of them is 0.
double combine(const BleuScore& parts, std::size_t orders) {
  double sum = 0.0;
  for (std::size_t n = 0; n < orders; ++n) sum += std::log(parts.precisions[n]);
  return parts.brevity_penalty * std::exp(sum / static_cast<double>(orders));
}

double divide(std::int64_t numerator, std::int64_t denominator) {
  return static_cast<double>(numerator) / static_cast<double>(denominator);
}

/// 1/(2^k · total) for the k-th order without hits; an order without n-grams counts 1.
void smooth_like_perl(BleuScore& score) {
  double smooth = 1.0;
  for (std::size_t n = 0; n < kBleuOrder; ++n) {
    const std::int64_t total = score.statistics.totals[n];
    const std::int64_t hits = score.statistics.hits[n];
    score.precisions[n] = total == 0 ? 1.0 : divide(hits, total);
    if (total != 0 && hits == 0) {
      smooth *= 2.0;
      score.precisions[n] = 1.0 / (smooth * static_cast<double>(total));
    }
  }
}

void floor_like_twin(BleuScore& score) {
  for (std::size_t n = 0; n < kBleuOrder; ++n) {
    score.precisions[n] =
        std::max(static_cast<double>(score.statistics.hits[n]), 1e-15) / std::max(static_cast<double>(score.statistics.totals[n]), 1e-9);
  }
}

/// Fills the precisions and returns over how many orders the mean goes.
std::size_t smooth_like_sacrebleu(BleuScore& score, const SacreBleuOptions& options) {
  double smooth = 1.0;
  std::size_t orders = kBleuOrder;
  for (std::size_t n = 0; n < kBleuOrder; ++n) {
    const std::int64_t more = options.smoothing == BleuSmoothing::add_one && n > 0 ? 1 : 0;
    const std::int64_t hits = score.statistics.hits[n] + more;
    const std::int64_t total = score.statistics.totals[n] + more;
    if (total == 0) break;
    if (options.effective_order) orders = n + 1;
    if (hits != 0) {
      score.precisions[n] = divide(hits, total);
    } else if (options.smoothing == BleuSmoothing::exponential) {
      smooth *= 2.0;
      score.precisions[n] = 1.0 / (smooth * static_cast<double>(total));
    } else if (options.smoothing == BleuSmoothing::floor) {
      score.precisions[n] = 0.1 / static_cast<double>(total);
    }
  }
  return orders;
}

Tokens sacre_tokens(std::string_view text, const SacreBleuOptions& options) {
  const std::string cased = options.lowercase ? lowered(text) : std::string(text);
  const std::string_view line = strip_end(cased);
  switch (options.tokenizer) {
    case SacreTokenizer::mteval_13a: return mteval_tokens(line);
    case SacreTokenizer::international: return international_tokens(line);
    case SacreTokenizer::none: break;
  }
  return split_whitespace(line);
}

}  // namespace

BleuScore mteval_bleu(const Corpus& corpus, MtevalProgram program) {
  require_scorable(corpus, "bleu");
  const bool perl = program == MtevalProgram::perl;
  BleuScore score;
  score.statistics =
      collect(corpus, perl ? EmptyReference::ignored : EmptyReference::counts, perl ? ShortHypothesis::floored : ShortHypothesis::negative,
              [&](std::string_view text) { return lowercased_mteval_tokens(text, program); });
  score.brevity_penalty = brevity_penalty(score.statistics);
  perl ? smooth_like_perl(score) : floor_like_twin(score);
  score.score = combine(score, kBleuOrder);
  return score;
}

BleuScore multi_bleu(const Corpus& corpus, bool lowercase) {
  require_scorable(corpus, "multi_bleu");
  BleuScore score;
  score.statistics = collect(corpus, EmptyReference::counts, ShortHypothesis::floored,
                             [&](std::string_view text) { return split_whitespace(lowercase ? ascii_lower(text) : std::string(text)); });
  score.brevity_penalty = brevity_penalty(score.statistics);
  for (std::size_t n = 0; n < kBleuOrder; ++n) {
    const std::int64_t total = score.statistics.totals[n];
    if (total != 0) score.precisions[n] = divide(score.statistics.hits[n], total);
  }
  score.score = score.statistics.reference_tokens == 0 ? 0.0 : 100.0 * combine(score, kBleuOrder);
  return score;
}

std::string multi_bleu_line(const BleuScore& score) {
  const BleuStatistics& sum = score.statistics;
  if (sum.reference_tokens == 0) return "BLEU = 0, 0/0/0/0 (BP=0, ratio=0, hyp_len=0, ref_len=0)";
  const auto& p = score.precisions;
  return fmt::format("BLEU = {:.2f}, {:.1f}/{:.1f}/{:.1f}/{:.1f} (BP={:.3f}, ratio={:.3f}, hyp_len={}, ref_len={})", score.score,
                     100.0 * p[0], 100.0 * p[1], 100.0 * p[2], 100.0 * p[3], score.brevity_penalty,
                     divide(sum.hypothesis_tokens, sum.reference_tokens), sum.hypothesis_tokens, sum.reference_tokens);
}

BleuScore sacre_bleu(const Corpus& corpus, const SacreBleuOptions& options) {
  require_scorable(corpus, "sacrebleu");
  BleuScore score;
  score.statistics =
      collect(corpus, EmptyReference::counts, ShortHypothesis::floored, [&](std::string_view text) { return sacre_tokens(text, options); });
  score.brevity_penalty = brevity_penalty(score.statistics);
  const auto& hits = score.statistics.hits;
  if (std::all_of(hits.begin(), hits.end(), [](std::int64_t count) { return count == 0; })) return score;
  const std::size_t orders = smooth_like_sacrebleu(score, options);
  score.score = 100.0 * combine(score, orders);
  return score;
}

}  // namespace preamble::metrics
