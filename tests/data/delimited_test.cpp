#include "data/delimited.h"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace delimited_test {

using namespace preamble;
using namespace std::string_view_literals;

namespace {

Table read(std::string_view content, Delimited form, const std::vector<std::string>& columns = {}) {
  Table table(form == Delimited::csv ? "t.csv" : "t.tsv");
  read_delimited(table, content, form, columns);
  return table;
}

}  // namespace

TEST_CASE("delimited: reads TSV and takes quotes literally") {
  const Table table = read("sentence\tlabel\n\"quoted\" , text\t1\nit 's \"open\t0\n", Delimited::tsv);
  CHECK(table.columns() == std::vector<std::string>{"sentence", "label"});
  REQUIRE(table.rows() == 2);
  CHECK(table.text(0, 0) == "\"quoted\" , text");
  CHECK(table.text(1, 0) == "it 's \"open");
  CHECK(table.text(1, 1) == "0");
  CHECK(table.where(1) == "t.tsv:3");
}

TEST_CASE("delimited: takes column names for content without a header line") {
  const Table table = read("World\ta text\n", Delimited::tsv, {"label", "text"});
  REQUIRE(table.rows() == 1);
  CHECK(table.text(0, table.column("text")) == "a text");
  CHECK(table.where(0) == "t.tsv:1");
}

TEST_CASE("delimited: byte-order mark, CRLF and a missing last line feed change nothing") {
  const Table table = read("\xEF\xBB\xBFmr,ref\r\nx,y\r\nz,w", Delimited::csv);
  CHECK(table.columns() == std::vector<std::string>{"mr", "ref"});
  REQUIRE(table.rows() == 2);
  CHECK(table.text(0, 1) == "y");
  CHECK(table.text(1, 1) == "w");
  CHECK(read("a\tb\r\n1\t\r\n", Delimited::tsv).text(0, 1).empty());
}

TEST_CASE("delimited: CSV quotes hold commas, doubled quotes and line breaks, and lines are still counted") {
  const Table table = read("mr,ref\n\"name[X], food[Y]\",\"say \"\"hi\"\"\n\nthere\"\nlast,\"\"\r\n", Delimited::csv);
  REQUIRE(table.rows() == 2);
  CHECK(table.text(0, 0) == "name[X], food[Y]");
  CHECK(table.text(0, 1) == "say \"hi\"\n\nthere");
  CHECK(table.where(0) == "t.csv:2");
  CHECK(table.where(1) == "t.csv:5");
  CHECK(table.text(1, 1).empty());
}

TEST_CASE("delimited: a quote inside of a bare CSV field is an ordinary character") {
  CHECK(read("a,b\n5\" pipe,x\n", Delimited::csv).text(0, 0) == "5\" pipe");
}

TEST_CASE("delimited: blank lines are rows only where there is one column") {
  CHECK(read("a\tb\n1\t2\n\n3\t4\n\n", Delimited::tsv).rows() == 2);
  CHECK(read("a\n1\n\n2\n", Delimited::tsv).rows() == 3);
}

TEST_CASE("delimited: a field may be very long") {
  const std::string giant(5'000'000, 'x');
  CHECK(read("a\tb\n" + giant + "\t1\n", Delimited::tsv).text(0, 0).size() == giant.size());
}

TEST_CASE("delimited: rejects ragged rows with file and line") {
  CHECK_THROWS_WITH_AS(read("a\tb\n1\t2\n3\n", Delimited::tsv), "t.tsv:3: 1 field; wanted 2 as the columns", FileError);
  CHECK_THROWS_WITH_AS(read("a,b\n1,2,3\n", Delimited::csv), "t.csv:2: 3 fields; wanted 2 as the columns", FileError);
}

TEST_CASE("delimited: rejects quotes that do not close or are followed by text") {
  CHECK_THROWS_WITH_AS(read("a,b\n1,2\n\"open,\n\n3,4\n", Delimited::csv), "t.csv:3: a quoted field without its closing quote", FileError);
  CHECK_THROWS_WITH_AS(read("a,b\n\"x\"y,2\n", Delimited::csv),
                       "t.csv:2: text after a closing quote; wanted a comma or the end of the line", FileError);
}

TEST_CASE("delimited: rejects NUL bytes and what is not UTF-8") {
  CHECK_THROWS_WITH_AS(read("a\tb\n1\t\0\n"sv, Delimited::tsv), "t.tsv:2: a NUL byte; wanted UTF-8 text", FileError);
  CHECK_THROWS_WITH_AS(read("a\tb\n1\t2\n1\tcaf\xE9\n", Delimited::tsv), "t.tsv:3: byte 0xE9 is not UTF-8; wanted UTF-8 text (convert it, as with iconv -f WINDOWS-1252 -t UTF-8)", FileError);
}

TEST_CASE("delimited: rejects an empty file and a column that appears twice") {
  CHECK_THROWS_WITH_AS(read("", Delimited::tsv), "t.tsv: empty; wanted a header line and rows", FileError);
  CHECK_THROWS_WITH_AS(read("a\tb\ta\n", Delimited::tsv), "t.tsv: column 'a' twice; wanted different names", FileError);
}

TEST_CASE("csv_field: what is written is read again") {
  const std::vector<std::string> fields = {"plain", "a, b", "says \"yes\"", "two\nlines", "cr\r", "", "\""};
  std::string line;
  for (const auto& field : fields) line += (line.empty() ? "" : ",") + csv_field(field);
  CHECK(csv_field("plain") == "plain");
  CHECK(csv_field("says \"yes\"") == "\"says \"\"yes\"\"\"");
  const std::vector<std::string> columns = {"a", "b", "c", "d", "e", "f", "g"};
  const Table table = read(line + "\n", Delimited::csv, columns);
  REQUIRE(table.rows() == 1);
  for (std::size_t i = 0; i < fields.size(); ++i) CHECK(table.cell(0, i).value == fields[i]);
}

}  // namespace delimited_test
