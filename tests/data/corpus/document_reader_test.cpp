#include "data/corpus/document_reader.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "tests/support/temporary_folder.h"

namespace document_reader_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Documents, their pieces joined.
std::vector<std::string> documents_of(DocumentReader& reader) {
  std::vector<std::string> documents;
  std::string text;
  while (const auto piece = reader.next()) {
    CHECK(piece->start.continues == !text.empty());
    text += piece->text;
    if (!piece->ends_document) continue;
    documents.push_back(text);
    text.clear();
  }
  CHECK(text.empty());
  return documents;
}

std::vector<std::string> documents_of(const std::filesystem::path& file, DocumentFormat format, std::size_t piece = DocumentReader::kPieceBytes) {
  DocumentReader reader({file}, format, "text", piece);
  return documents_of(reader);
}

}  // namespace

TEST_CASE("document reader: each format ends documents in its way, and files end them too") {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", "\n one\n\n two\n\f\n\n\fthree\r\n\r\nfour");
  CHECK(documents_of(path, DocumentFormat::form_feed) == std::vector<std::string>{" one\n\n two", "three\r\n\r\nfour"});
  CHECK(documents_of(path, DocumentFormat::blank_line) == std::vector<std::string>{" one", " two\n\f", "\fthree", "four"});
  CHECK(documents_of(path, DocumentFormat::line) == std::vector<std::string>{" one", " two", "\fthree", "four"});
  const auto other = folder.write("b.txt", "\xEF\xBB\xBF" "five\f\n");
  DocumentReader both({path, other}, DocumentFormat::form_feed);
  CHECK(documents_of(both) == std::vector<std::string>{" one\n\n two", "three\r\n\r\nfour", "five"});
}

TEST_CASE("document reader: JSON lines hold a document each, however long") {
  const TemporaryFolder folder;
  const std::string big(300, 'x');
  const auto path = folder.write("a.jsonl", "{\"text\": \"a\\nb\"}\n\n{\"id\": 1, \"text\": \"" + big + "\"}\n");
  CHECK(documents_of(path, DocumentFormat::jsonl, 16) == std::vector<std::string>{"a\nb", big});
  const auto bad = folder.write("b.jsonl", "{\"text\": \"a\"}\n{\"body\": \"b\"}\n");
  CHECK_THROWS_WITH_AS((void)documents_of(bad, DocumentFormat::jsonl), doctest::Contains("b.jsonl: line at byte 14: field 'text'"), FileError);
}

TEST_CASE("document reader: long documents come in pieces, cut behind lines, else in front of spaces, else between characters") {
  const TemporaryFolder folder;
  const std::string text = "abc def\nghi jkl mno\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9pq";
  const auto path = folder.write("a.txt", text + "\fnext");
  DocumentReader reader({path}, DocumentFormat::form_feed, "text", 9);
  std::vector<std::string> pieces;
  while (const auto piece = reader.next()) pieces.push_back(piece->text);
  CHECK(pieces == std::vector<std::string>{"abc def\n", "ghi jkl", " mno\xC3\xA9\xC3\xA9", "\xC3\xA9\xC3\xA9\xC3\xA9pq", "next"});
  CHECK(documents_of(path, DocumentFormat::form_feed, 9) == std::vector<std::string>{text, "next"});
}

TEST_CASE("document reader: goes on at the start of any piece") {
  const TemporaryFolder folder;
  const auto first = folder.write("a.txt", "abc def ghi\n\nsecond document here\n\n\n\nthird");
  const auto second = folder.write("b.txt", "\xEF\xBB\xBF" "fourth one");
  const auto make = [&] { return DocumentReader({first, second}, DocumentFormat::blank_line, "text", 8); };
  std::vector<TextPiece> all;
  for (DocumentReader reader = make(); const auto piece = reader.next();) all.push_back(*piece);
  REQUIRE(all.size() > 6);
  for (std::size_t from = 0; from < all.size(); ++from) {
    DocumentReader reader = make();
    reader.seek(all[from].start);
    for (std::size_t i = from; i < all.size(); ++i) {
      const auto piece = reader.next();
      REQUIRE(piece);
      CHECK(piece->text == all[i].text);
      CHECK(piece->start == all[i].start);
      CHECK(piece->ends_document == all[i].ends_document);
    }
    CHECK_FALSE(reader.next());
  }
  DocumentReader reader = make();
  CHECK_THROWS_AS(reader.seek({.file = 2}), ConfigError);
  CHECK_THROWS_AS(reader.seek({.file = 0, .byte = 1000}), ConfigError);
}

TEST_CASE("document reader: says what is wrong with a file before anything is read") {
  const TemporaryFolder folder;
  const auto good = folder.write("a.txt", "text");
  CHECK_THROWS_AS(DocumentReader({}, DocumentFormat::line), ConfigError);
  CHECK_THROWS_AS(DocumentReader({good, folder.path() / "none"}, DocumentFormat::line), FileError);
  CHECK_THROWS_AS(DocumentReader({good, folder.path()}, DocumentFormat::line), FileError);
  const auto packed = folder.write("c.xz", std::string("\xFD" "7zXZ\0and so on", 15));
  CHECK_THROWS_WITH_AS(DocumentReader({good, packed}, DocumentFormat::line), doctest::Contains("compressed with xz"), FileError);
  CHECK_THROWS_AS((void)document_format_of("page"), ConfigError);
  const WarningCapture capture;
  const auto latin = folder.write("l.txt", "caf\xE9 here");
  CHECK(documents_of(latin, DocumentFormat::line).size() == 1);
  REQUIRE(capture.messages().size() == 1);
  CHECK(capture.messages()[0].find("byte 3 is not UTF-8") != std::string::npos);
}

TEST_CASE("document reader: its description changes with the content, not with the name") {
  const TemporaryFolder folder;
  const auto a = folder.write("a.txt", "some text"), b = folder.write("b.txt", "some text"), c = folder.write("c.txt", "some tent");
  const auto text = [](const std::filesystem::path& path) { return DocumentReader({path}, DocumentFormat::line).describe(); };
  CHECK(text(a) == text(b));
  CHECK(text(a) != text(c));
}

}  // namespace document_reader_test
