#include <nlohmann/json.hpp>

#include "data/tasks/readers.h"

namespace preamble {

RowBuilder& RowBuilder::text(std::string_view column, std::string value) {
  cells_.push_back({table_.add_column(column), CellKind::text, std::move(value)});
  return *this;
}

RowBuilder& RowBuilder::number(std::string_view column, std::int64_t value) {
  cells_.push_back({table_.add_column(column), CellKind::number, std::to_string(value)});
  return *this;
}

RowBuilder& RowBuilder::list(std::string_view column, std::span<const std::string> values) {
  nlohmann::json json = nlohmann::json::array();
  for (const auto& value : values) json.push_back(value);
  cells_.push_back({table_.add_column(column), CellKind::list, json.dump()});
  return *this;
}

void RowBuilder::end_row(std::int64_t line) { table_.add_row(line, std::exchange(cells_, {})); }

}  // namespace preamble
