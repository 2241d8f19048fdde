#include "data/truncation.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "data/jsonl.h"
#include "data/text_file.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace truncation_test {

using namespace preamble;

namespace {

/// A token per character: its code point. Cut texts can be read off the ids.
std::vector<std::int32_t> characters(std::string_view text) {
  REQUIRE(is_utf8(text));
  std::vector<std::int32_t> ids;
  for (const char32_t c : decode_utf8(text)) ids.push_back(static_cast<std::int32_t>(c));
  return ids;
}

/// A token per word: its length. More text never gives fewer tokens, but often as many.
std::vector<std::int32_t> words(std::string_view text) {
  std::vector<std::int32_t> ids;
  bool inside = false;
  for (const char c : text) {
    if (c != ' ' && !inside) ids.push_back(0);
    inside = c != ' ';
    if (inside) ++ids.back();
  }
  return ids;
}

std::vector<std::int32_t> ids_of(std::u32string_view text) {
  std::vector<std::int32_t> ids;
  for (const char32_t c : text) ids.push_back(static_cast<std::int32_t>(c));
  return ids;
}

Table table(std::string_view content) {
  Table rows("t.jsonl");
  read_jsonl(rows, content);
  return rows;
}

}  // namespace

TEST_CASE("truncation: a text that fits stays as it is") {
  const Table rows = table(R"({"a": "abc", "b": "de"})");
  TruncationReport report;
  const BoundTemplate source(Template("{a}-{b}"), rows);
  CHECK(encode_truncated(characters, source, 0, 6, "", report) == ids_of(U"abc-de"));
  CHECK(report.sources_cut == 0);
  CHECK(report.source_tokens_cut == 0);
}

TEST_CASE("truncation: cuts the longest field and leaves the template's words") {
  const Table rows = table(R"({"a": "abcdefgh", "b": "xyz"})");
  TruncationReport report;
  const BoundTemplate source(Template("A: {a} B: {b}."), rows);
  CHECK(encode_truncated(characters, source, 0, 15, "", report) == ids_of(U"A: abcd B: xyz."));
  CHECK(report.sources_cut == 1);
  CHECK(report.source_tokens_cut == 4);
}

TEST_CASE("truncation: cuts the field that is named") {
  const Table rows = table(R"({"a": "abcdefgh", "b": "xyz"})");
  TruncationReport report;
  const BoundTemplate source(Template("{a}|{b}"), rows);
  CHECK(encode_truncated(characters, source, 0, 10, "b", report) == ids_of(U"abcdefgh|x"));
  CHECK(encode_truncated(characters, source, 0, 9, "b", report) == ids_of(U"abcdefgh|"));
  CHECK(report.sources_cut == 2);
  CHECK(report.source_tokens_cut == 2 + 3);
}

TEST_CASE("truncation: takes from the next longest field when the longest is used up") {
  const Table rows = table(R"({"a": "abcdefgh", "b": "xyz"})");
  TruncationReport report;
  const BoundTemplate source(Template("{a}|{b}"), rows);
  CHECK(encode_truncated(characters, source, 0, 3, "", report) == ids_of(U"|xy"));
  CHECK(encode_truncated(characters, source, 0, 1, "", report) == ids_of(U"|"));
}

TEST_CASE("truncation: of equally long fields the last gives way, and length counts characters") {
  const Table rows = table("{\"a\": \"\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\", \"b\": \"xyz\"}");
  TruncationReport report;
  CHECK(encode_truncated(characters, BoundTemplate(Template("{a}{b}"), rows), 0, 4, "", report) == ids_of(U"€€€x"));
}

TEST_CASE("truncation: never cuts inside a character and keeps as much as fits, at every limit") {
  const Table rows = table("{\"a\": \"a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80z\xE2\x82\xAC\xF0\x9F\x98\x80\"}");
  const std::u32string whole = U"aü€😀z€😀";
  const BoundTemplate source(Template("<{a}>"), rows);
  for (std::int64_t limit = 2; limit <= 9; ++limit) {
    TruncationReport report;
    CHECK(encode_truncated(characters, source, 0, limit, "", report) ==
          ids_of(U"<" + whole.substr(0, static_cast<std::size_t>(limit) - 2) + U">"));
  }
}

TEST_CASE("truncation: keeps the longest beginning that takes the tokens allowed") {
  const Table rows = table(R"({"a": "one three fiver sevenly"})");
  TruncationReport report;
  const BoundTemplate source(Template("say {a} !"), rows);
  CHECK(encode_truncated(words, source, 0, 4, "", report) == std::vector<std::int32_t>{3, 3, 5, 1});
  CHECK(report.source_tokens_cut == 2);
}

TEST_CASE("truncation: a giant field costs few and short calls of the tokenizer") {
  const Table rows = table("{\"a\": \"" + std::string(4'000'000, 'x') + "\"}");
  std::size_t calls = 0;
  std::size_t bytes = 0;
  const Tokenize counting = [&](std::string_view text) {
    ++calls;
    bytes += text.size();
    return std::vector<std::int32_t>((text.size() + 2) / 3);
  };
  TruncationReport report;
  CHECK(encode_truncated(counting, BoundTemplate(Template("{a}"), rows), 0, 100, "", report).size() == 100);
  CHECK(calls < 20);
  CHECK(bytes < 4'010'000);
}

TEST_CASE("truncation: a template that does not fit by itself is an error") {
  const Table rows = table(R"({"a": "abc", "b": "defgh"})");
  TruncationReport report;
  const BoundTemplate source(Template("A: {a} B: {b}"), rows);
  CHECK_THROWS_WITH_AS((void)encode_truncated(characters, source, 0, 6, "", report),
                       "t.jsonl:1: template 'A: {a} B: {b}' takes 7 tokens without its fields; wanted at most 6", FileError);
  CHECK_THROWS_WITH_AS((void)encode_truncated(characters, source, 0, 9, "b", report),
                       "t.jsonl:1: template 'A: {a} B: {b}' takes 10 tokens without 'b'; wanted at most 9", FileError);
  CHECK(report.sources_cut == 0);
}

TEST_CASE("truncation: rejects a field that is not in the template and a limit of nothing") {
  const Table rows = table(R"({"a": "abc", "b": "d"})");
  TruncationReport report;
  const BoundTemplate source(Template("{a}"), rows);
  CHECK_THROWS_WITH_AS((void)encode_truncated(characters, source, 0, 2, "b", report),
                       "template '{a}': no field 'b' to cut; wanted one of its fields", ConfigError);
  CHECK_THROWS_WITH_AS((void)encode_truncated(characters, source, 0, 0, "", report), "length limit of 0 tokens; wanted at least 1",
                       ConfigError);
}

TEST_CASE("truncation: cuts targets at their end and counts them") {
  TruncationReport report;
  CHECK(encode_target(characters, "abcdef", 4, report) == ids_of(U"abcd"));
  CHECK(encode_target(characters, "abcd", 4, report) == ids_of(U"abcd"));
  CHECK(report.targets_cut == 1);
  CHECK(report.target_tokens_cut == 2);
  CHECK(report.sources_cut == 0);
}

}  // namespace truncation_test
