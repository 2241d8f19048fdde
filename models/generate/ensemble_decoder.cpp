#include "models/generate/ensemble_decoder.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/core/error.h"
#include "engine/core/parallel.h"

namespace preamble {
namespace {

double log_sum_above(std::span<const float> row, float largest) {
  double sum = 0;
  for (const float x : row) sum += std::exp(static_cast<double>(x - largest));
  return std::log(sum);
}

}  // namespace

void combine_logits(std::span<const float> rows, Combination combination, std::span<float> result) {
  const std::size_t width = result.size(), members = rows.size() / width;
  std::vector<double> sum(width);
  for (std::size_t m = 0; m < members; ++m) {
    const auto row = rows.subspan(m * width, width);
    if (combination == Combination::logits) {
      for (std::size_t v = 0; v < width; ++v) sum[v] += static_cast<double>(row[v]);
      continue;
    }
    const float largest = *std::ranges::max_element(row);
    const double log_sum = log_sum_above(row, largest);
    for (std::size_t v = 0; v < width; ++v) sum[v] += std::exp(static_cast<double>(row[v] - largest) - log_sum);
  }
  for (std::size_t v = 0; v < width; ++v) {
    const double mean = sum[v] / static_cast<double>(members);
    result[v] = static_cast<float>(combination == Combination::logits ? mean : std::log(mean));
  }
}

EnsembleDecoder::EnsembleDecoder(Decoder& inner, std::int32_t members, Combination combination)
    : inner_(inner), members_(static_cast<std::size_t>(members)), combination_(combination) {
  require<ConfigError>(members > 0, "ensemble: {} members were given; wanted one at least", members);
}

ScoreRequest EnsembleDecoder::prepare(const ScoreRequest& wanted) {
  (void)inner_.prepare({});
  return {.best = 0, .asked = 0, .log_probabilities = wanted.log_probabilities};
}

ScoreRows EnsembleDecoder::prefill(std::span<const std::vector<std::int32_t>> prompts, const ScoreQueries& /*queries*/) {
  std::vector<std::vector<std::int32_t>> repeated;
  for (const auto& prompt : prompts) repeated.insert(repeated.end(), members_, prompt);
  return combined(inner_.prefill(repeated, {}), prompts.size());
}

ScoreRows EnsembleDecoder::step(std::span<const StepRow> rows, const ScoreQueries& /*queries*/) {
  std::vector<StepRow> repeated;
  const auto members = static_cast<std::int32_t>(members_);
  for (const auto& row : rows) {
    for (std::int32_t m = 0; m < members; ++m) repeated.push_back({row.parent * members + m, row.token, row.sequence * members + m});
  }
  // the inner decoder wants rows ordered by sequence: those of one member of a source stand together
  std::vector<std::size_t> order(repeated.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return repeated[i].sequence; });
  std::vector<StepRow> sorted;
  for (const auto i : order) sorted.push_back(repeated[i]);
  const bool same = std::ranges::is_sorted(order);
  // parents are numbers among the rows of the previous call in the inner decoder's order
  for (auto& row : sorted) row.parent = order_of_.empty() ? row.parent : order_of_[static_cast<std::size_t>(row.parent)];
  const ScoreRows scores = inner_.step(sorted, {});
  order_of_.clear();
  if (!same) {
    order_of_.resize(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) order_of_[order[i]] = static_cast<std::int32_t>(i);
  }
  return combined(scores, rows.size());
}

ScoreRows EnsembleDecoder::combined(const ScoreRows& scores, std::size_t rows) {
  const auto width = static_cast<std::size_t>(vocabulary());
  require<ShapeError>(scores.logits.size() == rows * members_ * width, "ensemble: {} logits of {} rows of {} members", scores.logits.size(),
                      rows, members_);
  logits_.resize(rows * width);
  largest_.resize(rows);
  sums_.resize(rows);
  parallel_for(static_cast<std::int64_t>(rows), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto r = static_cast<std::size_t>(begin); r < static_cast<std::size_t>(end); ++r) {
      std::vector<float> all(members_ * width);
      for (std::size_t m = 0; m < members_; ++m) {
        const std::size_t at = order_of_.empty() ? r * members_ + m : static_cast<std::size_t>(order_of_[r * members_ + m]);
        std::ranges::copy(scores.logits.subspan(at * width, width), all.begin() + static_cast<std::ptrdiff_t>(m * width));
      }
      const std::span<float> row(logits_.data() + r * width, width);
      combine_logits(all, combination_, row);
      largest_[r] = *std::ranges::max_element(row);
      sums_[r] = static_cast<float>(log_sum_above(row, largest_[r]));
    }
  });
  return {.logits = logits_, .largest = largest_, .log_sum = sums_, .best_scores = {}, .best_tokens = {}, .asked_scores = {}};
}

}  // namespace preamble
