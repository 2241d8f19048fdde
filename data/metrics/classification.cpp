#include "data/metrics/classification.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>
#include <vector>

#include "engine/core/error.h"

namespace preamble::metrics {
namespace {

/// Hits, predictions and instances of one class.
struct ClassCounts {
  std::int64_t hits = 0;
  std::int64_t predicted = 0;
  std::int64_t gold = 0;

  [[nodiscard]] double f1() const noexcept {
    return hits == 0 ? 0.0 : 2.0 * static_cast<double>(hits) / static_cast<double>(predicted + gold);
  }
};

template <class T>
void check(std::span<const T> predicted, std::span<const T> gold) {
  require<ShapeError>(predicted.size() == gold.size(), "metric: {} predictions; wanted {} as gold labels", predicted.size(), gold.size());
  require<ConfigError>(!gold.empty(), "metric: no predictions; wanted at least one");
}

void check_classes(std::span<const std::int32_t> gold, std::int32_t classes) {
  for (const std::int32_t label : gold) {
    require<ConfigError>(label >= 0 && label < classes, "metric: gold label {}; wanted 0 to {}", label, classes - 1);
  }
}

std::map<std::int32_t, ClassCounts> count(std::span<const std::int32_t> predicted, std::span<const std::int32_t> gold) {
  std::map<std::int32_t, ClassCounts> counts;
  for (std::size_t i = 0; i < gold.size(); ++i) {
    ++counts[predicted[i]].predicted;
    ++counts[gold[i]].gold;
    if (predicted[i] == gold[i]) ++counts[gold[i]].hits;
  }
  return counts;
}

std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
    const double shared = 0.5 * static_cast<double>(first + last) + 1.0;
    for (; first <= last; ++first) ranks[order[first]] = shared;
  }
  return ranks;
}

void check_finite(std::span<const double> values) {
  for (const double value : values) require<ConfigError>(std::isfinite(value), "metric: the value {}; wanted a finite number", value);
}

double correlation(std::span<const double> x, std::span<const double> y) {
  const auto mean = [](std::span<const double> v) { return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size()); };
  const double mean_x = mean(x);
  const double mean_y = mean(y);
  double xx = 0.0;
  double yy = 0.0;
  double xy = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  const bool defined = xx > 0.0 && yy > 0.0;
  return defined ? std::clamp(xy / (std::sqrt(xx) * std::sqrt(yy)), -1.0, 1.0) : 0.0;
}

/// Rounding makes the mean of equal values differ from them, so a constant side must be seen before the arithmetic.
bool is_constant(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [&](double value) { return value == values.front(); });
}

}  // namespace

double accuracy(std::span<const std::int32_t> predicted, std::span<const std::int32_t> gold) {
  check(predicted, gold);
  std::int64_t right = 0;
  for (std::size_t i = 0; i < gold.size(); ++i) right += predicted[i] == gold[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(gold.size());
}

double binary_f1(std::span<const std::int32_t> predicted, std::span<const std::int32_t> gold) {
  check(predicted, gold);
  check_classes(gold, 2);
  std::vector<std::int32_t> valid(predicted.begin(), predicted.end());
  for (std::size_t i = 0; i < valid.size(); ++i) {
    if (valid[i] != 0 && valid[i] != 1) valid[i] = 1 - gold[i];
  }
  return count(valid, gold)[1].f1();
}

double macro_f1(std::span<const std::int32_t> predicted, std::span<const std::int32_t> gold, std::int32_t classes) {
  check(predicted, gold);
  check_classes(gold, classes);
  double sum = 0.0;
  for (const auto& [label, counts] : count(predicted, gold)) {
    if (label >= 0 && label < classes) sum += counts.f1();
  }
  return sum / classes;
}

double matthews_correlation(std::span<const std::int32_t> predicted, std::span<const std::int32_t> gold) {
  check(predicted, gold);
  double hits = 0.0;
  double both = 0.0;
  double predictions_squared = 0.0;
  double gold_squared = 0.0;
  for (const auto& [label, counts] : count(predicted, gold)) {
    const auto p = static_cast<double>(counts.predicted);
    const auto t = static_cast<double>(counts.gold);
    hits += static_cast<double>(counts.hits);
    both += p * t;
    predictions_squared += p * p;
    gold_squared += t * t;
  }
  const auto total = static_cast<double>(gold.size());
  const double spread = (total * total - predictions_squared) * (total * total - gold_squared);
  return spread > 0.0 ? (hits * total - both) / std::sqrt(spread) : 0.0;
}

double pearson_correlation(std::span<const double> predicted, std::span<const double> gold) {
  check(predicted, gold);
  check_finite(predicted);
  check_finite(gold);
  return is_constant(predicted) || is_constant(gold) ? 0.0 : correlation(predicted, gold);
}

double spearman_correlation(std::span<const double> predicted, std::span<const double> gold) {
  check(predicted, gold);
  check_finite(predicted);
  check_finite(gold);
  return correlation(ranks(predicted), ranks(gold));
}

}  // namespace preamble::metrics
