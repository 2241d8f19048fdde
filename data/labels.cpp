#include "data/labels.h"

#include <algorithm>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "data/metrics/text.h"
#include "engine/core/error.h"

namespace preamble {

namespace {

using LabelPairs = std::vector<std::pair<std::string, std::string>>;
using LabelJson = nlohmann::ordered_json;

bool is_label_json(std::string_view text) {
  return text.starts_with("[\"") || text.starts_with("{\"") || ((text.starts_with('[') || text.starts_with('{')) && LabelJson::accept(text));
}

std::string label_text(const LabelJson& value) {
  require<ConfigError>(value.is_string() || value.is_number_integer() || value.is_boolean(), "labels: {} in JSON; wanted texts",
                       value.dump());
  return value.is_string() ? value.get<std::string>() : value.dump();
}

LabelPairs pairs_of_json(std::string_view text) {
  LabelPairs pairs;
  try {
    const LabelJson labels = LabelJson::parse(text);
    for (const auto& [key, value] : labels.items()) pairs.emplace_back(labels.is_array() ? label_text(value) : key, label_text(value));
  } catch (const LabelJson::exception&) {
    raise<ConfigError>("labels: '{}' is no JSON; wanted a list of texts, or an object of values and words", text);
  }
  return pairs;
}

}  // namespace

LabelMap LabelMap::parse(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && is_label_json(text.substr(first))) return LabelMap(pairs_of_json(text));
  LabelPairs pairs;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view entry = text.substr(0, comma);
    const std::size_t equals = entry.find('=');
    pairs.emplace_back(entry.substr(0, equals), equals == std::string_view::npos ? entry : entry.substr(equals + 1));
    if (comma == std::string_view::npos) return LabelMap(pairs);
    text.remove_prefix(comma + 1);
  }
}

std::string LabelMap::spelled(const std::vector<std::string>& values) {
  const bool plain = std::ranges::none_of(values, [](const std::string& value) {
    return value.find_first_of(",=") != std::string::npos || value.starts_with('[') || value.starts_with('{') || canonical(value) != value;
  });
  return plain ? fmt::format("{}", fmt::join(values, ",")) : LabelJson(values).dump(-1, ' ', false, LabelJson::error_handler_t::replace);
}

std::string LabelMap::canonical(std::string_view value) {
  value = metrics::strip(value);
  const std::size_t point = value.find('.');
  const std::string_view whole = value.substr(0, std::min(point, value.size()));
  const std::string_view digits = whole.substr(whole.starts_with('-') ? 1 : 0);
  const bool number = !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
  const bool no_fraction = point != std::string_view::npos && value.find_first_not_of('0', point + 1) == std::string_view::npos;
  return std::string(number && no_fraction ? whole : value);
}

LabelMap::LabelMap(const std::vector<std::pair<std::string, std::string>>& pairs) {
  require<ConfigError>(!pairs.empty(), "labels: none; wanted value=word for each class");
  for (const auto& [value, word] : pairs) {
    require<ConfigError>(!value.empty() && !word.empty(), "labels: entry '{}={}' lacks a side; wanted value=word", value, word);
    const auto known = std::find(words_.begin(), words_.end(), word);
    const bool added = values_.emplace(canonical(value), static_cast<std::int32_t>(known - words_.begin())).second;
    require<ConfigError>(added, "labels: value '{}' twice; wanted different values", value);
    if (known == words_.end()) words_.push_back(word);
  }
}

std::int32_t LabelMap::find(std::string_view value) const {
  const auto found = values_.find(canonical(value));
  return found == values_.end() ? -1 : found->second;
}

std::int32_t LabelMap::class_of(const Table& table, std::int64_t row, std::size_t column) const {
  const std::string& value = table.text(row, column);
  if (const std::int32_t found = find(value); found >= 0) return found;
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
