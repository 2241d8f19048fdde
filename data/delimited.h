// Tab- and comma-separated files.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "data/table.h"

namespace preamble {

/// tsv: fields between tabs, quotes and backslashes are ordinary characters (as GLUE's files are meant).
/// csv: RFC 4180, fields between commas, in double quotes where they hold commas, line breaks or doubled quotes.
enum class Delimited : std::uint8_t { tsv, csv };

/// Appends the rows of `content` to `table`. `columns` names the columns of content without a header line; empty: the first
/// line is the header. Blank lines are passed over unless there is only one column. Throws FileError (the table's source
/// and the line) for a row with another number of fields than columns, text that is not UTF-8, a NUL byte, a quote that is
/// not closed or is followed by text, a column name that appears twice, and content without any line.
void read_delimited(Table& table, std::string_view content, Delimited form, std::span<const std::string> columns);

}  // namespace preamble
