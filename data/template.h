// Text made of fixed words and the fields of a row: "sentence1: {sentence1} sentence2: {sentence2}".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/table.h"

namespace preamble {

/// A parsed template. `{name}` stands for a field, `{name|join(", ")}` for a list whose items are joined, `{{` and `}}` for
/// braces; everything else is literal. In the separator `\n`, `\t`, `\"` and `\\` are escapes.
class Template {
 public:
  /// A stretch of literal text, or a field by name.
  struct Piece {
    bool is_field = false;
    std::string text;                      ///< the literal, or the name of the column
    std::optional<std::string> separator;  ///< set for a field that is a list to be joined
  };

  /// Throws ConfigError, with the position, for a brace without partner, an empty name or an unknown filter.
  explicit Template(std::string_view text);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] const std::vector<Piece>& pieces() const noexcept { return pieces_; }

 private:
  std::string text_;
  std::vector<Piece> pieces_;
};

/// A template whose fields have been found among the columns of a table. The table must outlive it.
class BoundTemplate {
 public:
  /// Throws ConfigError for a field that is no column, and lists the columns.
  BoundTemplate(Template pattern, const Table& table);

  [[nodiscard]] const Table& table() const noexcept { return *table_; }
  [[nodiscard]] const Template& pattern() const noexcept { return pattern_; }
  /// The text of each piece for a row. Throws FileError (file and line) for a field that the row lacks, that is null, a list
  /// without `join`, or a joined field that is not a list of texts, numbers and booleans.
  [[nodiscard]] std::vector<std::string> texts(std::int64_t row) const;
  /// The whole text for a row. Throws as `texts`.
  [[nodiscard]] std::string render(std::int64_t row) const;

 private:
  Template pattern_;
  const Table* table_;
  std::vector<std::size_t> columns_;  // per piece; unused for literals
};

}  // namespace preamble
