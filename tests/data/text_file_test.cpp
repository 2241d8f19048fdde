#include "data/text_file.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_file.h"

namespace text_file_test {

using namespace preamble;
using namespace std::string_view_literals;

TEST_CASE("text_file: lines end at LF or CRLF, and the byte-order mark belongs to none") {
  LineReader lines("\xEF\xBB\xBFone\r\n\ntwo\rthree\nlast"sv);
  CHECK(lines.next() == "one");
  CHECK(lines.number() == 1);
  CHECK(lines.next() == "");
  CHECK(lines.next() == "two\rthree");
  CHECK(lines.next() == "last");
  CHECK(lines.number() == 4);
  CHECK_FALSE(lines.next().has_value());
}

TEST_CASE("text_file: the line feed at the end begins no line, and empty text has none") {
  LineReader lines("one\n");
  CHECK(lines.next() == "one");
  CHECK_FALSE(lines.next().has_value());
  CHECK_FALSE(LineReader("").next().has_value());
}

TEST_CASE("text_file: accepts UTF-8 and names the first byte that is none") {
  CHECK_NOTHROW(require_text("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80", "f", 1));
  CHECK_THROWS_WITH_AS(require_text("a\xFF", "f.tsv", 7),
                       "f.tsv:7: byte 0xFF is not UTF-8; wanted UTF-8 text (convert it, as with iconv -f WINDOWS-1252 -t UTF-8)",
                       FileError);
  CHECK_THROWS_WITH_AS(require_text("a\0b"sv, "f.tsv", 2), "f.tsv:2: a NUL byte; wanted UTF-8 text", FileError);
  for (const std::string_view bad : {"\xC0\xAF"sv, "\xED\xA0\x80"sv, "\xF4\x90\x80\x80"sv, "\xE2\x82"sv, "\x80"sv}) {
    CHECK_THROWS_AS(require_text(bad, "f", 1), FileError);
  }
}

TEST_CASE("text_file: finds the beginning of a character") {
  const std::string text =
      "a\xE2\x82\xAC"
      "b";
  CHECK(char_start(text, 0) == 0);
  CHECK(char_start(text, 1) == 1);
  CHECK(char_start(text, 2) == 1);
  CHECK(char_start(text, 3) == 1);
  CHECK(char_start(text, 4) == 4);
  CHECK(char_start(text, 5) == 5);
  CHECK(char_start(text, 99) == 5);
}

TEST_CASE("text_file: counts characters to find a byte") {
  const std::string text =
      "a\xE2\x82\xAC"
      "b";
  CHECK(byte_offset(text, 0) == 0);
  CHECK(byte_offset(text, 1) == 1);
  CHECK(byte_offset(text, 2) == 4);
  CHECK(byte_offset(text, 3) == 5);
  CHECK_FALSE(byte_offset(text, 4).has_value());
}

TEST_CASE("text_file: UTF-16 with a byte-order mark is read as UTF-8") {
  const testing::TemporaryFile little("f.txt", "\xFF\xFE\x61\x00\xE9\x00\x3D\xD8\x00\xDE"sv);
  CHECK(read_text_file(little.path()) == "a\xC3\xA9\xF0\x9F\x98\x80");
  const testing::TemporaryFile big("f.txt", "\xFE\xFF\x00\x61\x00\x0A"sv);
  CHECK(read_text_file(big.path()) == "a\n");
  CHECK_THROWS_AS((void)read_text_file(testing::TemporaryFile("f.txt", "\xFF\xFE\x61"sv).path()), FileError);
  CHECK_THROWS_AS((void)read_text_file(testing::TemporaryFile("f.txt", "\xFF\xFE\x3D\xD8\x61\x00"sv).path()), FileError);
}

TEST_CASE("text_file: what is no text is named, with what to do about it") {
  const testing::TemporaryFile packed("t.csv.xz", "\xFD\x37zXZ\x00"sv);
  CHECK_THROWS_WITH_AS((void)read_text_file(packed.path()), (packed.name() + ": compressed with xz; wanted text: unxz it").c_str(), FileError);
  const testing::TemporaryFile table("t.parquet", "PAR1\x15\x04"sv);
  CHECK_THROWS_WITH_AS((void)read_text_file(table.path()),
                       (table.name() + ": a Parquet table; wanted text: export it as JSON lines").c_str(), FileError);
  const testing::TemporaryFile sheet("t.csv", "PK\x03\x04"sv);
  CHECK_THROWS_WITH_AS((void)read_text_file(sheet.path()),
                       (sheet.name() + ": a ZIP archive or a spreadsheet; wanted text: unpack it, or save the sheet as CSV").c_str(),
                       FileError);
}

}  // namespace text_file_test
