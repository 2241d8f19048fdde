#include "data/jsonl.h"

#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/core/file.h"
#include "tests/support/temporary_file.h"

namespace jsonl_test {

using namespace preamble;
using namespace std::string_view_literals;

namespace {

Table lines(std::string_view content) {
  Table table("t.jsonl");
  read_jsonl(table, content);
  return table;
}

Table array(std::string_view content) {
  Table table("t.json");
  read_json_array(table, content);
  return table;
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

}  // namespace

TEST_CASE("jsonl: keeps strings, and numbers and booleans as they are spelled") {
  const Table table = lines(
      R"({"text": "gr\u00fc\u00df \"x\"", "idx": 7, "score": 5.000, "big": 98765432109876543210, "n": -3, "label": true, "no": false})");
  REQUIRE(table.rows() == 1);
  const auto text = [&](std::string_view column) { return table.text(0, table.column(column)); };
  CHECK(text("text") == "gr\xC3\xBC\xC3\x9F \"x\"");
  CHECK(text("idx") == "7");
  CHECK(text("score") == "5.000");
  CHECK(text("big") == "98765432109876543210");
  CHECK(text("n") == "-3");
  CHECK(text("label") == "true");
  CHECK(text("no") == "false");
  CHECK(table.find(0, table.column("idx"))->kind == CellKind::number);
  CHECK(table.find(0, table.column("label"))->kind == CellKind::boolean);
}

TEST_CASE("jsonl: objects inside a row become dotted columns, lists stay JSON") {
  const Table table =
      lines(R"({"target": {"word": "it", "at": {"x": 1}}, "after": 2, "list": ["a\n", 1.50, {"k": [null, true]}, []], "none": []})");
  CHECK(table.columns() == std::vector<std::string>{"target.word", "target.at.x", "after", "list", "none"});
  CHECK(table.text(0, 1) == "1");
  CHECK(table.cell(0, 3).kind == CellKind::list);
  CHECK(table.cell(0, 3).value == R"(["a\n",1.50,{"k":[null,true]},[]])");
  CHECK(table.cell(0, 4).value == "[]");
  CHECK_THROWS_WITH_AS((void)table.text(0, 3),
                       "t.jsonl:1: field 'list' is a list; wanted text or a number (a template joins lists: {list|join(\", \")})",
                       FileError);
}

TEST_CASE("jsonl: passes over blank lines, a byte-order mark and CRLF, and counts lines right") {
  const Table table = lines("\xEF\xBB\xBF{\"a\": \"x\"}\r\n\r\n  \n{\"a\": \"y\"}");
  REQUIRE(table.rows() == 2);
  CHECK(table.text(1, 0) == "y");
  CHECK(table.where(1) == "t.jsonl:4");
}

TEST_CASE("jsonl: rows may lack fields, and reading one that is absent or null names it") {
  const Table table = lines("{\"a\": \"x\"}\n{\"b\": null}\n");
  CHECK(table.columns() == std::vector<std::string>{"a", "b"});
  CHECK(table.find(1, 0) == nullptr);
  CHECK_THROWS_WITH_AS((void)table.text(1, 0), "t.jsonl:2: no field 'a'; wanted a value", FileError);
  CHECK_THROWS_WITH_AS((void)table.text(1, 1), "t.jsonl:2: field 'b' is null; wanted a value", FileError);
}

TEST_CASE("jsonl: rejects lines that are no object") {
  CHECK_THROWS_WITH_AS(lines("{}\n[1]\n"), "t.jsonl:2: a list; wanted an object", FileError);
  CHECK_THROWS_WITH_AS(lines("17"), "t.jsonl:1: 17; wanted an object", FileError);
  CHECK_THROWS_WITH_AS(lines("\"x\""), "t.jsonl:1: a string; wanted an object", FileError);
  CHECK_THROWS_WITH_AS(lines("null"), "t.jsonl:1: null; wanted an object", FileError);
}

TEST_CASE("jsonl: rejects what is not JSON, with the line of the file") {
  CHECK_THROWS_WITH_AS(lines("{\"a\": 1}\n{\"a\": tru}\n"),
                       "t.jsonl:2: not JSON: column 10: syntax error while parsing value - invalid literal; last read: '\"a\": tru}'",
                       FileError);
  for (const std::string_view bad : {R"({"a": "open)"sv, R"({"a": 1} {})"sv, R"({"a" 1})"sv, "{\"a\": \"\xFF\"}"sv, "{\"a\": \"\0\"}"sv,
                                     "{a: 1}"sv, R"({"a": NaN})"sv, "\0"sv}) {
    CHECK_THROWS_AS(lines(bad), FileError);
  }
}

TEST_CASE("jsonl: an error message stays short however long the bad token is") {
  try {
    lines(R"({"a": ")" + std::string(1'000'000, 'x'));
    FAIL("an unterminated string was accepted");
  } catch (const FileError& error) {
    CHECK(std::string_view(error.what()).size() < 400);
    CHECK(std::string_view(error.what()).starts_with("t.jsonl:1: not JSON: "));
  }
}

TEST_CASE("jsonl: rejects a key that appears twice, also by way of a dotted name") {
  CHECK_THROWS_WITH_AS(lines(R"({"a": 1, "a": 2})"), "t.jsonl:1: field 'a' twice; wanted it once", FileError);
  CHECK_THROWS_WITH_AS(lines(R"({"a.b": 1, "a": {"b": 2}})"), "t.jsonl:1: field 'a.b' twice; wanted it once", FileError);
}

TEST_CASE("jsonl: rejects deep nesting instead of running out of stack") {
  CHECK(lines("{\"a\": " + nested(60) + "}").rows() == 1);
  CHECK_THROWS_WITH_AS(lines("{\"a\": " + nested(1'000'000) + "}"), "t.jsonl:1: nested deeper than 64", FileError);
  std::string objects;
  for (int i = 0; i < 100; ++i) objects += "{\"a\":";
  CHECK_THROWS_WITH_AS(lines(objects), "t.jsonl:1: nested deeper than 64", FileError);
}

TEST_CASE("json array: reads a list of objects") {
  const Table table = array("\xEF\xBB\xBF[\n {\"a\": 1, \"l\": [[\"x\"]]},\n {\"a\": 2}\n]\n");
  REQUIRE(table.rows() == 2);
  CHECK(table.text(1, 0) == "2");
  CHECK(table.cell(0, 1).value == R"([["x"]])");
  CHECK(table.where(1) == "t.json: row 2");
}

TEST_CASE("json array: rejects other documents") {
  CHECK_THROWS_WITH_AS(array("{\"data\": []}"), "t.json: an object; wanted a list of objects", FileError);
  CHECK_THROWS_WITH_AS(array("3"), "t.json: 3; wanted a list of objects", FileError);
  CHECK_THROWS_WITH_AS(array("[{\"a\": 1}, [2]]"), "t.json: row 2: a list; wanted an object", FileError);
  CHECK_THROWS_WITH_AS(array("[{\"a\": 1}, \"x\"]"), "t.json: row 2: a string; wanted an object", FileError);
  CHECK_THROWS_AS(array("[{\"a\": 1},"), FileError);
  CHECK_THROWS_AS(array(""), FileError);
  CHECK_THROWS_AS(array("[] []"), FileError);
}

TEST_CASE("write_jsonl: writes what read_jsonl reads, in the order of the keys") {
  const testing::TemporaryFile file("out.jsonl", "old");
  write_jsonl(file.path(), [](const JsonSink& sink) {
    sink({{"row", 0}, {"prediction", "line\nbreak"}});
    sink({{"row", 1}, {"prediction", "\xC3\xBC"}, {"score", std::numeric_limits<double>::quiet_NaN()}});
  });
  CHECK(read_text(file.path()) == "{\"row\":0,\"prediction\":\"line\\nbreak\"}\n{\"row\":1,\"prediction\":\"\xC3\xBC\",\"score\":null}\n");
  CHECK(lines(read_text(file.path())).text(0, 1) == "line\nbreak");
}

TEST_CASE("write_jsonl: a failure in the middle leaves the old file") {
  const testing::TemporaryFile file("out.jsonl", "old");
  CHECK_THROWS_AS(write_jsonl(file.path(),
                              [](const JsonSink& sink) {
                                sink({{"row", 0}});
                                raise<Error>("stopped");
                              }),
                  Error);
  CHECK(read_text(file.path()) == "old");
}

TEST_CASE("write_jsonl: streams, and replaces what is not UTF-8") {
  std::ostringstream stream;
  write_jsonl(stream, [](const JsonSink& sink) { sink({{"prediction", "cut \xE2\x82"}}); });
  CHECK(stream.str() == "{\"prediction\":\"cut \xEF\xBF\xBD\"}\n");
  stream.setstate(std::ios::failbit);
  CHECK_THROWS_WITH_AS(write_jsonl(stream, [](const JsonSink& sink) { sink({{"a", 1}}); }), "output stream: cannot write", FileError);
}

TEST_CASE("read_json: the form is read from the content") {
  const auto rows_of = [](std::string_view content) {
    Table table("t.json");
    read_json(table, content);
    std::vector<std::string> values;
    for (std::int64_t row = 0; row < table.rows(); ++row) values.push_back(table.text(row, 0));
    return values;
  };
  const std::vector<std::string> two = {"1", "2"};
  CHECK(rows_of("{\"a\": 1}\n{\"a\": 2}\n") == two);
  CHECK(rows_of("\xEF\xBB\xBF[{\"a\": 1},\n{\"a\": 2}]") == two);
  CHECK(rows_of("{\"version\": \"]}\", \"rows\": [3], \"data\": [{\"a\": 1}, {\"a\": 2}], \"more\": {\"data\": [5]}}") == two);
  CHECK(rows_of("{\n \"data\": [\n{\"a\": 1},\n{\"a\": 2}]\n}\n") == two);
  // exports in batches write one list behind the other
  CHECK(rows_of("[{\"a\": 1}]\n[{\"a\": 2}]\n") == two);
  CHECK(rows_of("{\"a\": \"one row\"}") == std::vector<std::string>{"one row"});
  CHECK_THROWS_WITH_AS((void)rows_of("{\n \"a\": {\"0\": 1}\n}\n"), "t.json: an object; wanted a list of objects", FileError);
  try {
    (void)rows_of("{\"a\": 1}\n{\"a\": NaN}\n");
    FAIL_CHECK("NaN was accepted");
  } catch (const FileError& error) {
    CHECK(std::string_view(error.what()).starts_with("t.json:2: not JSON: "));
  }
  CHECK_THROWS_AS((void)rows_of("{\"data\": [{\"a\": 1}]"), FileError);
  CHECK_THROWS_AS((void)rows_of("{\"data\": [{\"a\": 1}]} x"), FileError);
  CHECK_FALSE(data_list("{\"x\": {\"data\": [1]}}").has_value());
  CHECK_FALSE(data_list("{\"data\": {\"a\": [1]}}").has_value());
  CHECK(data_list("{\"x\": \"data\", \"data\": [[1], \"]\"], \"y\": 2}").value_or("") == "[[1], \"]\"]");
}

}  // namespace jsonl_test
