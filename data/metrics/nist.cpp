#include "data/metrics/nist.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "data/metrics/ngrams.h"

namespace preamble::metrics {
namespace {

/// The references of all instances: tokens, and the counts that information weights are made of.
struct ReferenceSet {
  std::vector<std::vector<Tokens>> instances;
  NgramCounts counts;
  std::int64_t tokens = 0;
  std::int64_t non_empty = 0;
};

ReferenceSet read_references(const Corpus& corpus, MtevalProgram program) {
  ReferenceSet set;
  for (const Instance& instance : corpus) {
    auto& references = set.instances.emplace_back();
    for (const std::string& text : instance.references) {
      const Tokens& tokens = references.emplace_back(lowercased_mteval_tokens(text, program));
      set.tokens += static_cast<std::int64_t>(tokens.size());
      set.non_empty += tokens.empty() ? 0 : 1;
      for (std::size_t n = 1; n <= kNistOrder; ++n) {
        for (const auto& [ngram, count] : count_ngrams(tokens, n)) set.counts[ngram] += count;
      }
    }
  }
  return set;
}

double information(const ReferenceSet& set, const std::string& ngram, MtevalProgram program) {
  const std::size_t last = ngram.rfind(' ');
  const std::string context = last == std::string::npos ? std::string() : ngram.substr(0, last);
  // in Perl the string "0" is false, so that it counts as no context
  const bool no_context = context.empty() || (program == MtevalProgram::perl && context == "0");
  const std::int64_t before = no_context ? set.tokens : count_of(set.counts, context);
  return std::log2(static_cast<double>(before) / static_cast<double>(count_of(set.counts, ngram)));
}

double perl_reference_length(const ReferenceSet& set) {
  if (set.non_empty == 0) return 0.0;
  const double references_each = static_cast<double>(set.non_empty) / static_cast<double>(set.instances.size());
  return static_cast<double>(set.tokens) / references_each;
}

double twin_reference_length(const ReferenceSet& set) {
  double sum = 0.0;
  for (const auto& references : set.instances) {
    std::size_t tokens = 0;
    for (const Tokens& reference : references) tokens += reference.size();
    sum += static_cast<double>(tokens) / static_cast<double>(references.size());
  }
  return sum;
}

double length_penalty(double hypothesis, double reference) {
  if (hypothesis >= reference) return 1.0;
  if (hypothesis <= 0.0) return 0.0;
  const double beta = std::log(2.0) / std::pow(std::log(1.5), 2.0);
  return std::exp(-beta * std::pow(std::log(hypothesis / reference), 2.0));
}

}  // namespace

NistScore nist(const Corpus& corpus, MtevalProgram program) {
  require_scorable(corpus, "nist");
  const ReferenceSet set = read_references(corpus, program);
  NistScore result;
  for (std::size_t i = 0; i < corpus.size(); ++i) {
    const Tokens hypothesis = lowercased_mteval_tokens(corpus[i].hypothesis, program);
    for (std::size_t n = 1; n <= kNistOrder; ++n) {
      NgramCounts most;
      for (const Tokens& reference : set.instances[i]) raise_to(most, count_ngrams(reference, n));
      const NgramCounts counts = count_ngrams(hypothesis, n);
      for (const auto& [ngram, count] : counts) {
        const std::int64_t hits = std::min(count, count_of(most, ngram));
        if (hits == 0) continue;
        result.hits[n - 1] += hits;
        result.information[n - 1] += static_cast<double>(hits) * information(set, ngram, program);
      }
      result.totals[n - 1] += total_count(counts);
    }
  }
  result.reference_length = program == MtevalProgram::perl ? perl_reference_length(set) : twin_reference_length(set);
  result.length_penalty = length_penalty(static_cast<double>(result.totals[0]), result.reference_length);
  for (std::size_t n = 0; n < kNistOrder; ++n) {
    result.score += result.information[n] / static_cast<double>(std::max<std::int64_t>(result.totals[n], 1));
  }
  result.score *= result.length_penalty;
  return result;
}

}  // namespace preamble::metrics
