// A data set in memory: rows of named text fields, whatever file format they came from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace preamble {

/// What a field was in its file. Delimited files hold text only.
enum class CellKind : std::uint8_t { text, number, boolean, null, list };

/// One field. `value` is its text: of a string the string itself, of a number or boolean its spelling in JSON (integers
/// without a decimal point), of a list its JSON; empty for null.
struct Cell {
  std::size_t column = 0;
  CellKind kind = CellKind::text;
  std::string value;
};

/// Rows of named fields. A row may lack fields (JSON objects differ); columns are listed in the order of appearance.
class Table {
 public:
  /// `source`: the file name that error messages show.
  explicit Table(std::string source) : source_(std::move(source)) {}

  [[nodiscard]] const std::string& source() const noexcept { return source_; }
  [[nodiscard]] const std::vector<std::string>& columns() const noexcept { return columns_; }
  [[nodiscard]] std::int64_t rows() const noexcept { return static_cast<std::int64_t>(rows_.size()); }

  /// Index of the column called `name`. Throws ConfigError that lists the columns there are.
  [[nodiscard]] std::size_t column(std::string_view name) const;
  /// The field, or null if the row lacks it. Throws std::out_of_range for a row that does not exist.
  [[nodiscard]] const Cell* find(std::int64_t row, std::size_t column) const;
  /// The field. Throws FileError (file and line) if the row lacks it or it is null.
  [[nodiscard]] const Cell& cell(std::int64_t row, std::size_t column) const;
  /// The field's text. Throws FileError as `cell` does, and for a list.
  [[nodiscard]] const std::string& text(std::int64_t row, std::size_t column) const;
  /// `file:line` where the row begins, or `file: row N` (from 1) where lines say nothing (a JSON array).
  [[nodiscard]] std::string where(std::int64_t row) const;

  /// Index of the column called `name`, added at the end if there is none yet.
  std::size_t add_column(std::string_view name);
  /// Appends a row that begins at `line` (from 1; 0 if unknown). Throws FileError if two cells name one column.
  void add_row(std::int64_t line, std::vector<Cell> cells);
  /// A table of the given rows, in that order; `where` still speaks of the original places.
  [[nodiscard]] Table select(std::span<const std::uint32_t> rows) const;

 private:
  struct Row {
    std::int64_t line = 0;
    std::int64_t number = 0;
    std::vector<Cell> cells;  // sorted by column
  };

  [[nodiscard]] std::string where(const Row& row) const;

  std::string source_;
  std::vector<std::string> columns_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<Row> rows_;
};

/// How to read a data set.
struct TableOptions {
  /// jsonl, json, tsv, csv, pairs, e2e, webnlg or dart; empty: by the extension of the file.
  std::string format = {};
  /// Names of the columns of a TSV or CSV file that has no header line; empty: the first line is the header.
  std::vector<std::string> columns = {};
  /// WebNLG: which texts are read, where they have a language.
  std::string language = "en";
};

/// Reads a data set: `.jsonl`, `.json` (see `read_json`), `.tsv` (quotes are ordinary characters), `.csv` (RFC 4180), `NAME.source` (a
/// line is a row with the column `source`; line k of NAME.target, if that file exists, is its `target`); each also with `.gz` behind. UTF-8, with or without a
/// byte-order mark, lines ended by LF or CRLF. Throws FileError with file and line for whatever is malformed and for a file without rows,
/// ConfigError for options that do not fit.
[[nodiscard]] Table load_table(const std::filesystem::path& path, const TableOptions& options = {});

/// `count` rows drawn without replacement by `seed`, in the order of the file: the low-data setting. Throws ConfigError
/// unless 1 <= count <= rows.
[[nodiscard]] Table subsample(const Table& table, std::int64_t count, std::uint64_t seed);

}  // namespace preamble
