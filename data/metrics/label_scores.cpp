#include "data/metrics/label_scores.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <functional>
#include <iterator>
#include <set>
#include <string_view>

#include "data/metrics/text.h"
#include "engine/core/error.h"

namespace preamble::metrics {
namespace {

constexpr std::int32_t kLargestLabel = 9999;
constexpr std::int32_t kNoLabel = -1;

/// The integer that a label is, or -1.
std::int32_t as_class(std::string_view label) {
  std::int32_t value = kNoLabel;
  const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), value);
  const bool whole = error == std::errc() && end == label.data() + label.size();
  return whole && value >= 0 && value <= kLargestLabel ? value : kNoLabel;
}

}  // namespace

LabelIndices label_indices(const std::vector<std::string>& predicted, const std::vector<std::string>& gold) {
  require<ShapeError>(predicted.size() == gold.size(), "labels: {} predicted and {} gold; wanted as many", predicted.size(), gold.size());
  std::set<std::string, std::less<>> names;
  for (const std::string& label : gold) names.emplace(strip(label));
  const bool numbers = std::all_of(names.begin(), names.end(), [](const std::string& label) { return as_class(label) != kNoLabel; });
  const auto index = [&](std::string_view label) {
    if (numbers) return as_class(label);
    const auto found = names.find(label);
    return found == names.end() ? kNoLabel : static_cast<std::int32_t>(std::distance(names.begin(), found));
  };
  LabelIndices indices;
  for (const std::string& label : predicted) indices.predicted.push_back(index(strip(label)));
  for (const std::string& label : gold) indices.gold.push_back(index(strip(label)));
  for (const std::int32_t label : indices.gold) indices.classes = std::max(indices.classes, label + 1);
  return indices;
}

std::vector<double> parse_numbers(const std::vector<std::string>& lines, const std::string& source) {
  std::vector<double> numbers;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view text = strip(lines[i]);
    double value = 0.0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    require<FileError>(error == std::errc() && end == text.data() + text.size(), "{}:{}: '{}'; wanted a number", source, i + 1, lines[i]);
    numbers.push_back(value);
  }
  return numbers;
}

}  // namespace preamble::metrics
