#include "models/generate/warpers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "models/generate/select.h"

namespace preamble {
namespace {

constexpr float kRemoved = -std::numeric_limits<float>::infinity();

}  // namespace

void TemperatureWarper::apply(const History& /*history*/, Scores& row) const {
  for (float& score : row.values()) score /= temperature_;
}

void TopKWarper::apply(const History& /*history*/, Scores& row) const {
  const std::span<float> scores = row.values();
  if (k_ >= scores.size()) return;
  std::vector<Candidate> best;
  largest(scores, k_, best);
  const float bound = best.back().score;
  for (float& score : scores) {
    if (score < bound) score = kRemoved;
  }
}

void TopPWarper::apply(const History& /*history*/, Scores& row) const {
  const std::span<float> scores = row.values();
  std::vector<Candidate> order;
  for (std::size_t v = 0; v < scores.size(); ++v) {
    if (scores[v] > kRemoved) order.push_back({scores[v], static_cast<std::int64_t>(v)});
  }
  if (order.size() <= keep_) return;
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.score < b.score; });
  const float top = order.back().score;
  double total = 0;
  for (const auto& candidate : order) total += std::exp(candidate.score - top);
  double sum = 0;
  for (std::size_t i = 0; i + keep_ < order.size(); ++i) {
    sum += std::exp(order[i].score - top) / total;
    if (static_cast<float>(sum) > rest_) break;
    scores[static_cast<std::size_t>(order[i].index)] = kRemoved;
  }
}

}  // namespace preamble
