#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/delimited.h"
#include "data/tasks/readers.h"
#include "data/text_file.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"

namespace preamble {
namespace {

using Fields = std::vector<std::string>;

std::optional<std::size_t> place_of(const Fields& header, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    const auto found = std::ranges::find(header, name);
    if (found != header.end()) return static_cast<std::size_t>(found - header.begin());
  }
  return std::nullopt;
}

/// Which fields of a line are read.
struct Places {
  std::vector<std::size_t> columns;
  std::optional<std::size_t> label;  ///< test files have none

  /// Nothing if a text column is missing.
  [[nodiscard]] static std::optional<Places> of(const GlueLayout& layout, const Fields& header) {
    Places places;
    for (const auto& column : layout.columns) {
      const auto place = place_of(header, column.names);
      if (!place) return std::nullopt;
      places.columns.push_back(*place);
    }
    places.label = place_of(header, {layout.label});
    return places;
  }

  [[nodiscard]] std::size_t fields() const {
    std::size_t last = label.value_or(0);
    for (const auto place : columns) last = std::max(last, place);
    return last + 1;
  }
};

float score_of(const std::string& text, const std::string& where) {
  float score = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), score);
  require<FileError>(error == std::errc() && end == text.data() + text.size() && std::isfinite(score), "{}: score '{}'; wanted a number",
                     where, text);
  return score;
}

}  // namespace

std::string stsb_target(float score) { return fmt::format("{:.1f}", std::nearbyint(score * 5.0F) / 5.0F); }

void read_glue(Table& table, const GlueLayout& layout, const std::filesystem::path& path) {
  const std::string content = read_text_file(path);
  const std::string source = path.string();
  DelimitedReader reader(source, content, Delimited::tsv);
  const Fields* fields = reader.next();
  if (fields == nullptr) return;
  auto places = Places::of(layout, *fields);
  const bool header = places.has_value();
  if (!header && fields->size() == layout.without_header.size()) places = Places::of(layout, layout.without_header);
  require<FileError>(places.has_value(), "{}: the columns are {}; wanted {} among them", source, fmt::join(*fields, ", "),
                     layout.columns.front().names.front());
  std::int64_t broken = 0;
  RowBuilder row(table);
  for (fields = header ? reader.next() : fields; fields != nullptr; fields = reader.next()) {
    if (fields->size() == 1 && fields->front().empty()) continue;
    const bool complete = fields->size() >= places->fields() &&
                          std::ranges::none_of(places->columns, [&](std::size_t place) { return (*fields)[place].empty(); });
    if (!complete && layout.skips_broken_rows) {
      ++broken;
      continue;
    }
    const std::string where = fmt::format("{}:{}", source, reader.line());
    require<FileError>(complete, "{}: {} fields, or an empty text; wanted {} at least", where, fields->size(), places->fields());
    for (std::size_t i = 0; i < layout.columns.size(); ++i) row.text(layout.columns[i].column, (*fields)[places->columns[i]]);
    if (places->label) {
      const std::string& label = (*fields)[*places->label];
      row.text(layout.is_score ? "target" : "label", layout.is_score ? stsb_target(score_of(label, where)) : label);
    }
    row.end_row(reader.line());
  }
  if (broken > 0) warn(fmt::format("{}: {} rows lack a field; they are left out", source, broken));
}

}  // namespace preamble
