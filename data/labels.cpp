#include "data/labels.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "engine/core/error.h"

namespace preamble {

LabelMap LabelMap::parse(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view entry = text.substr(0, comma);
    const std::size_t equals = entry.find('=');
    pairs.emplace_back(entry.substr(0, equals), equals == std::string_view::npos ? entry : entry.substr(equals + 1));
    if (comma == std::string_view::npos) return LabelMap(pairs);
    text.remove_prefix(comma + 1);
  }
}

LabelMap::LabelMap(const std::vector<std::pair<std::string, std::string>>& pairs) {
  require<ConfigError>(!pairs.empty(), "labels: none; wanted value=word for each class");
  for (const auto& [value, word] : pairs) {
    require<ConfigError>(!value.empty() && !word.empty(), "labels: entry '{}={}' lacks a side; wanted value=word", value, word);
    const auto known = std::find(words_.begin(), words_.end(), word);
    const bool added = values_.emplace(value, static_cast<std::int32_t>(known - words_.begin())).second;
    require<ConfigError>(added, "labels: value '{}' twice; wanted different values", value);
    if (known == words_.end()) words_.push_back(word);
  }
}

std::int32_t LabelMap::class_of(const Table& table, std::int64_t row, std::size_t column) const {
  const std::string& value = table.text(row, column);
  const auto found = values_.find(value);
  if (found != values_.end()) return found->second;
  std::vector<std::string_view> known;
  known.reserve(values_.size());
  for (const auto& entry : values_) known.push_back(entry.first);
  raise<FileError>("{}: label '{}' in '{}'; wanted one of: {}", table.where(row), value, table.columns()[column], fmt::join(known, ", "));
}

std::int32_t LabelMap::class_of_word(std::string_view text) const noexcept {
  const auto found = std::find(words_.begin(), words_.end(), text);
  return found == words_.end() ? -1 : static_cast<std::int32_t>(found - words_.begin());
}

}  // namespace preamble
