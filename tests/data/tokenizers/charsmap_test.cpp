#include "data/tokenizers/charsmap.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/data/tokenizers/builders.h"

using namespace preamble;

namespace {

Charsmap sample() {
  return Charsmap(testing::charsmap_blob({{"e\u0301", "é"},
                                          {"e\u0301\u0302", "long"},
                                          {"\uFB01", "fi"},
                                          {"\u00AA", "a"},
                                          {"\r", "R"},
                                          {"\r\n", " "},
                                          {"\n", "N"},
                                          {"\u200B", ""}}),
                  "map");
}

MappedText normalized(std::u32string_view text) {
  MappedText out;
  sample().normalize(text, 10, out);
  return out;
}

}  // namespace

TEST_CASE("charsmap: the shortest key replaces a whole small cluster") {
  CHECK(normalized(U"xe\u0301y").chars == U"xéy");
  CHECK(normalized(U"e\u0301\u0302").chars == U"é");
  CHECK(normalized(U"\uFB01\u0301").chars == U"fi");
  CHECK(normalized(U"\u00AA\u0301").chars == U"a");
  CHECK(normalized(U"\r\n\n\r").chars == U"RNR");
}

TEST_CASE("charsmap: a cluster of six bytes or more goes character by character") {
  CHECK(normalized(U"e\u0301\u0302\u0303").chars == U"e\u0301\u0302\u0303");
  CHECK(normalized(U"\uFB01\u20DD").chars == U"fi\u20DD");
  // a mark beyond U+FFFF makes the cluster long, and so does a character that is prepended to it
  CHECK(normalized(U"e\u0301\U000114B7").chars == U"e\u0301\U000114B7");
  CHECK(normalized(U"\u0600e\u0301").chars == U"\u0600e\u0301");
}

TEST_CASE("charsmap: nothing attaches to a control character") { CHECK(normalized(U"\u200B\u0301").chars == U"\u0301"); }

TEST_CASE("charsmap: characters know where they came from") {
  const MappedText out = normalized(U"a\uFB01\u200Be\u0301b");
  CHECK(out.chars == U"afiéb");
  CHECK(out.sources == std::vector<std::int32_t>{10, 11, 11, 13, 15});
}

TEST_CASE("charsmap: an empty map and U+0000 change nothing") {
  MappedText out;
  Charsmap("", "map").normalize(std::u32string_view(U"\uFB01\0x", 3), 0, out);
  CHECK(out.chars == std::u32string_view(U"\uFB01\0x", 3));
  CHECK(normalized(std::u32string_view(U"\0", 1)).chars == std::u32string_view(U"\0", 1));
}

TEST_CASE("charsmap: refuses sizes that do not fit") {
  CHECK_THROWS_WITH_AS(Charsmap("abc", "m"), "m: charsmap: ends at byte 3; wanted 4 bytes from byte 0 on", FileError);
  std::string blob;
  testing::append_u32(blob, 400);
  CHECK_THROWS_WITH_AS(Charsmap(blob, "m"), "m: charsmap: ends at byte 4; wanted 400 bytes from byte 4 on", FileError);
  blob.clear();
  testing::append_u32(blob, 3);
  CHECK_THROWS_WITH_AS(Charsmap(blob + "abc", "m"), "m: charsmap: a trie of 3 bytes; wanted units of 4", FileError);
}

TEST_CASE("charsmap: a trie that points outside itself or its strings matches nothing") {
  std::string blob;
  testing::append_u32(blob, 4);
  testing::append_u32(blob, 0xFFFFFC00);
  MappedText out;
  Charsmap(blob, "m").normalize(U"abc", 0, out);
  CHECK(out.chars == U"abc");

  std::string cut = testing::charsmap_blob({{"a", "b"}});
  cut.resize(cut.size() - 2);  // without the strings
  out = {};
  Charsmap(cut, "m").normalize(U"abc", 0, out);
  CHECK(out.chars == U"abc");
}
