#include "data/metrics/cider.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "data/metrics/caption_tokens.h"
#include "data/metrics/ngrams.h"

namespace preamble::metrics {
namespace {

constexpr std::size_t kOrders = 4;
constexpr double kSigma = 6.0;

using Weights = std::unordered_map<std::string, double>;
using Sentence = std::array<NgramCounts, kOrders>;

Sentence count_all(const std::string& text) {
  const Tokens tokens = caption_tokens(text);
  Sentence counts;
  for (std::size_t n = 1; n <= kOrders; ++n) counts[n - 1] = count_ngrams(tokens, n);
  return counts;
}

/// A sentence as weighted n-grams with the norm of each order.
struct Vector {
  std::array<Weights, kOrders> weights;
  std::array<double, kOrders> norms{};
  double length = 0.0;
};

class Weighting {
 public:
  explicit Weighting(const std::vector<std::vector<Sentence>>& references)
      : log_instances_(std::log(static_cast<double>(references.size()))) {
    for (const auto& instance : references) {
      std::unordered_set<std::string> seen;
      for (const Sentence& sentence : instance) {
        for (const NgramCounts& counts : sentence) {
          for (const auto& [ngram, count] : counts) seen.insert(ngram);
        }
      }
      for (const std::string& ngram : seen) ++instances_with_[ngram];
    }
  }

  [[nodiscard]] Vector operator()(const Sentence& sentence) const {
    Vector vector;
    for (std::size_t n = 0; n < kOrders; ++n) {
      double squares = 0.0;
      for (const auto& [ngram, count] : sentence[n]) {
        const double df = static_cast<double>(std::max<std::int64_t>(count_of(instances_with_, ngram), 1));
        const double weight = static_cast<double>(count) * (log_instances_ - std::log(df));
        vector.weights[n].emplace(ngram, weight);
        squares += weight * weight;
      }
      vector.norms[n] = std::sqrt(squares);
    }
    vector.length = static_cast<double>(total_count(sentence[1]));
    return vector;
  }

 private:
  double log_instances_;
  NgramCounts instances_with_;
};

/// Mean over the orders.
double similarity(const Vector& hypothesis, const Vector& reference) {
  const double difference = hypothesis.length - reference.length;
  double sum = 0.0;
  for (std::size_t n = 0; n < kOrders; ++n) {
    double product = 0.0;
    for (const auto& [ngram, weight] : hypothesis.weights[n]) {
      const auto found = reference.weights[n].find(ngram);
      if (found != reference.weights[n].end()) product += std::min(weight, found->second) * found->second;
    }
    const double norms = hypothesis.norms[n] * reference.norms[n];
    sum += norms != 0.0 ? product / norms : product;
  }
  return sum / static_cast<double>(kOrders) * std::exp(-difference * difference / (2.0 * kSigma * kSigma));
}

}  // namespace

double cider(const Corpus& corpus) {
  require_scorable(corpus, "cider");
  std::vector<std::vector<Sentence>> references;
  for (const Instance& instance : corpus) {
    auto& sentences = references.emplace_back();
    for (const std::string& text : instance.references) sentences.push_back(count_all(text));
  }
  const Weighting weighted(references);
  double sum = 0.0;
  for (std::size_t i = 0; i < corpus.size(); ++i) {
    const Vector hypothesis = weighted(count_all(corpus[i].hypothesis));
    double total = 0.0;
    for (const Sentence& reference : references[i]) total += similarity(hypothesis, weighted(reference));
    sum += total / static_cast<double>(references[i].size());
  }
  return 10.0 * sum / static_cast<double>(corpus.size());
}

}  // namespace preamble::metrics
