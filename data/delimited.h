// Tab- and comma-separated files, read and written.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/table.h"

namespace preamble {

/// tsv: fields between tabs, quotes and backslashes are ordinary characters (as GLUE's files are meant).
/// csv: RFC 4180, fields between commas, in double quotes where they hold commas, line breaks or doubled quotes.
enum class Delimited : std::uint8_t { tsv, csv };

/// Splits text into records, one at a time, and knows the line of each.
class DelimitedReader {
 public:
  /// `source` begins error messages; both must outlive the reader. A byte-order mark in front is passed over.
  DelimitedReader(std::string_view source, std::string_view content, Delimited form);

  /// The fields of the next record, or nothing at the end. Valid until the next call. Throws FileError (source and line) for text that is
  /// not UTF-8, a NUL byte, and a quote that is not closed or is followed by text.
  [[nodiscard]] const std::vector<std::string>* next();
  /// Where the record that `next` gave last begins, from 1.
  [[nodiscard]] std::int64_t line() const noexcept { return line_; }

 private:
  [[nodiscard]] bool read_plain(std::string& field);
  [[nodiscard]] bool read_quoted(std::string& field);
  [[nodiscard]] bool end_field();

  std::string_view source_;
  std::string_view rest_;
  Delimited form_;
  std::vector<std::string> fields_;
  std::int64_t line_ = 0;
  std::int64_t next_line_ = 1;
};

/// Appends the rows of `content` to `table`. `columns` names the columns of content without a header line; empty: the first
/// line is the header. Blank lines are passed over unless there is only one column. Throws FileError (the table's source
/// and the line) for a row with another number of fields than columns, text that is not UTF-8, a NUL byte, a quote that is
/// not closed or is followed by text, a column name that appears twice, and content without any line.
void read_delimited(Table& table, std::string_view content, Delimited form, std::span<const std::string> columns);

/// `text` as a field of a CSV line: in double quotes if it holds a comma, a quote or a line break (RFC 4180).
[[nodiscard]] std::string csv_field(std::string_view text);

}  // namespace preamble
