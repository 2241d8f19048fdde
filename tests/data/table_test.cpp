#include "data/table.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "engine/core/error.h"
#include "tests/support/temporary_file.h"
#include "tests/support/temporary_folder.h"

namespace data_table_test {

using namespace preamble;
using testing::TemporaryFile;

namespace {

Table numbered(int rows) {
  Table table("t.tsv");
  table.add_column("n");
  for (int i = 0; i < rows; ++i) table.add_row(i + 2, {{0, CellKind::text, std::to_string(i)}});
  return table;
}

std::vector<std::string> first_column(const Table& table) {
  std::vector<std::string> values;
  for (std::int64_t row = 0; row < table.rows(); ++row) values.push_back(table.text(row, 0));
  return values;
}

}  // namespace

TEST_CASE("table: the extension chooses the format") {
  CHECK(load_table(TemporaryFile("a.jsonl", "{\"x\": 1}\n").path()).rows() == 1);
  CHECK(load_table(TemporaryFile("a.json", "[{\"x\": 1}, {\"x\": 2}]").path()).rows() == 2);
  CHECK(load_table(TemporaryFile("a.tsv", "x\ty\na,b\tc\n").path()).text(0, 0) == "a,b");
  CHECK(load_table(TemporaryFile("a.csv", "x,y\n\"a,b\",c\n").path()).text(0, 0) == "a,b");
}

TEST_CASE("table: a format given by name beats the extension") {
  const TemporaryFile file("a.csv", "x\ty\n1\t2\n");
  CHECK(load_table(file.path(), {.format = "tsv"}).columns() == std::vector<std::string>{"x", "y"});
  const TemporaryFile bare("train", "1\t2\n");
  CHECK(load_table(bare.path(), {.format = "tsv", .columns = {"x", "y"}}).text(0, 1) == "2");
}

TEST_CASE("table: rejects unknown formats and column names for JSON") {
  const TemporaryFile bare("train", "1\t2\n");
  CHECK_THROWS_WITH_AS(
      (void)load_table(bare.path()),
      (bare.name() + ": no data format of that extension; wanted .jsonl, .json, .tsv, .csv, .xml or .source, or a format given by name")
          .c_str(),
      ConfigError);
  CHECK_THROWS_WITH_AS((void)load_table(bare.path(), {.format = "xml"}),
                       "data format 'xml': unknown; wanted jsonl, json, tsv, csv, pairs, e2e, webnlg, dart", ConfigError);
  const TemporaryFile jsonl("a.jsonl", "{}");
  CHECK_THROWS_WITH_AS((void)load_table(jsonl.path(), {.columns = {"x"}}),
                       (jsonl.name() + ": column names given; wanted them only for tsv and csv").c_str(), ConfigError);
}

TEST_CASE("table: rejects files without rows") {
  for (const auto& [name, content] : std::vector<std::pair<std::string, std::string>>{
           {"a.tsv", "x\ty\n"}, {"a.csv", "x,y\r\n"}, {"a.jsonl", ""}, {"b.jsonl", "\n \n"}, {"a.json", "[]"}}) {
    CAPTURE(name);
    const TemporaryFile file(name, content);
    CHECK_THROWS_WITH_AS((void)load_table(file.path()), (file.name() + ": no rows; wanted at least one").c_str(), FileError);
  }
  const TemporaryFile empty("a.tsv", "");
  CHECK_THROWS_WITH_AS((void)load_table(empty.path()), (empty.name() + ": empty; wanted a header line and rows").c_str(), FileError);
}

TEST_CASE("table: names a file that cannot be opened") {
  CHECK_THROWS_WITH_AS((void)load_table("/no/such/file.tsv"), "/no/such/file.tsv: cannot open: No such file or directory", FileError);
}

TEST_CASE("table: an unknown column is an error that lists the columns") {
  Table table("t.tsv");
  table.add_column("sentence");
  table.add_column("label");
  CHECK(table.column("label") == 1);
  CHECK_THROWS_WITH_AS((void)table.column("text"), "t.tsv: no column 'text'; the columns are: sentence, label", ConfigError);
}

TEST_CASE("table: adding a column twice gives the same index") {
  Table table("t");
  CHECK(table.add_column("a") == 0);
  CHECK(table.add_column("b") == 1);
  CHECK(table.add_column("a") == 0);
}

TEST_CASE("table: a row may hold any of the columns in any order") {
  Table table("t");
  for (int i = 0; i < 5; ++i) table.add_column(std::to_string(i));
  table.add_row(1, {{4, CellKind::text, "four"}, {1, CellKind::text, "one"}});
  CHECK(table.text(0, 1) == "one");
  CHECK(table.text(0, 4) == "four");
  CHECK(table.find(0, 0) == nullptr);
  CHECK(table.find(0, 3) == nullptr);
}

TEST_CASE("subsample: draws different rows, in the order of the file, and keeps their places") {
  const Table table = numbered(100);
  const Table few = subsample(table, 10, 1);
  REQUIRE(few.rows() == 10);
  CHECK(few.columns() == table.columns());
  for (std::int64_t row = 0; row < few.rows(); ++row) {
    CHECK(few.where(row) == fmt::format("t.tsv:{}", std::stoi(few.text(row, 0)) + 2));
    if (row > 0) CHECK(std::stoi(few.text(row - 1, 0)) < std::stoi(few.text(row, 0)));
  }
}

TEST_CASE("subsample: depends on the seed alone") {
  const Table table = numbered(100);
  CHECK(first_column(subsample(table, 10, 1)) == first_column(subsample(table, 10, 1)));
  CHECK(first_column(subsample(table, 10, 1)) != first_column(subsample(table, 10, 2)));
  CHECK(first_column(subsample(table, 100, 3)) == first_column(table));
}

TEST_CASE("subsample: rejects sizes that the table does not have") {
  CHECK_THROWS_WITH_AS((void)subsample(numbered(5), 6, 0), "t.tsv: a subset of 6 rows; wanted 1 to 5", ConfigError);
  CHECK_THROWS_WITH_AS((void)subsample(numbered(5), 0, 0), "t.tsv: a subset of 0 rows; wanted 1 to 5", ConfigError);
}

TEST_CASE("table: lines of NAME.source and NAME.target are pairs") {
  const testing::TemporaryFolder folder;
  const auto source = folder.write("train.source", "a b\nc\n");
  CHECK(load_table(source).columns() == std::vector<std::string>{"source"});
  folder.write("train.target", "A\n\n");
  const Table table = load_table(source);
  REQUIRE(table.rows() == 2);
  CHECK(table.text(0, table.column("source")) == "a b");
  CHECK(table.text(0, table.column("target")) == "A");
  CHECK(table.text(1, table.column("target")).empty());
  const std::string target = folder.write("train.target", "A\n").string();
  CHECK_THROWS_WITH_AS((void)load_table(source), (target + ": 1 lines, fewer than " + source.string() + "; wanted as many").c_str(),
                       FileError);
  folder.write("train.target", "A\nB\nC\n");
  CHECK_THROWS_WITH_AS((void)load_table(source), (target + ": more lines than the 2 of " + source.string() + "; wanted as many").c_str(),
                       FileError);
}

TEST_CASE("table: JSON lines in a .json file and a list in a .jsonl file are read by their content") {
  CHECK(load_table(TemporaryFile("t.json", "{\"n\": 1}\n{\"n\": 2}\n").path()).rows() == 2);
  CHECK(load_table(TemporaryFile("t.jsonl", "[{\"n\": 1}, {\"n\": 2}, {\"n\": 3}]").path()).rows() == 3);
}

TEST_CASE("table: CSV of spreadsheets, with a byte-order mark or in UTF-16") {
  using namespace std::string_view_literals;
  CHECK(load_table(TemporaryFile("t.csv", "\xEF\xBB\xBFtext,label\r\n\"a\nb\",1\r\n").path()).columns().front() == "text");
  const Table table = load_table(TemporaryFile("t.tsv", "\xFF\xFEn\0\t\0m\0\n\0\xE9\0\t\0\x31\0"sv).path());
  CHECK(table.text(0, table.column("n")) == "\xC3\xA9");
}

}  // namespace data_table_test
