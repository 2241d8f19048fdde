#include "data/tokenizers/normalizers/precompiled.h"

#include <doctest/doctest.h>

#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"
#include "tests/data/tokenizers/builders.h"

namespace precompiled_test {

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

AlignedText normalized(std::u32string_view text, const Charsmap& map, std::int32_t base = 0) {
  AlignedText out(encode_utf8(text), base);
  PrecompiledNormalizer(map).normalize(out);
  return out;
}

std::u32string normalized(std::u32string_view text) { return decode_utf8(normalized(text, sample()).text()); }

}  // namespace

TEST_CASE("charsmap: the shortest key replaces a whole small cluster") {
  CHECK(normalized(U"xe\u0301y") == U"xéy");
  CHECK(normalized(U"e\u0301\u0302") == U"é");
  CHECK(normalized(U"\uFB01\u0301") == U"fi");
  CHECK(normalized(U"\u00AA\u0301") == U"a");
  CHECK(normalized(U"\r\n\n\r") == U"RNR");
}

TEST_CASE("charsmap: a cluster of six bytes or more goes character by character") {
  CHECK(normalized(U"e\u0301\u0302\u0303") == U"e\u0301\u0302\u0303");
  CHECK(normalized(U"\uFB01\u20DD") == U"fi\u20DD");
  // a mark beyond U+FFFF makes the cluster long, and so does a character that is prepended to it
  CHECK(normalized(U"e\u0301\U000114B7") == U"e\u0301\U000114B7");
  CHECK(normalized(U"\u0600e\u0301") == U"\u0600e\u0301");
}

TEST_CASE("charsmap: nothing attaches to a control character") { CHECK(normalized(U"\u200B\u0301") == U"\u0301"); }

TEST_CASE("charsmap: characters know where they came from") {
  const AlignedText out = normalized(U"a\uFB01\u200Be\u0301b", sample(), 10);
  CHECK(out.text() == "afiéb");
  CHECK(out.origin(0, 1) == CharRange{10, 11});
  // the second letter counts for the character that vanishes behind it
  CHECK(out.origin(1, 3) == CharRange{11, 13});
  CHECK(out.origin(3, 5) == CharRange{13, 14});
  CHECK(out.origin(5, 6) == CharRange{15, 16});
}

TEST_CASE("charsmap: a mark behind a ligature vanishes with it, and what follows keeps its place") {
  const AlignedText out = normalized(U"\uFB01\u0301x", sample());
  CHECK(out.text() == "fix");
  CHECK(out.origin(2, 3) == CharRange{2, 3});
}

TEST_CASE("charsmap: what vanishes at the very beginning is not counted, and the offsets behind it slip") {
  const AlignedText out = normalized(U"\u200Ba\uFB01", sample());
  CHECK(out.text() == "afi");
  CHECK(out.origin(0, 1) == CharRange{0, 1});
}

TEST_CASE("charsmap: an empty map and U+0000 change nothing") {
  const std::u32string_view text(U"\uFB01\0x", 3);
  CHECK(decode_utf8(normalized(text, Charsmap("", "map")).text()) == text);
  CHECK(normalized(std::u32string_view(U"\0", 1)) == std::u32string_view(U"\0", 1));
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
  CHECK(normalized(U"abc", Charsmap(blob, "m")).text() == "abc");

  std::string cut = testing::charsmap_blob({{"a", "b"}});
  cut.resize(cut.size() - 2);  // without the strings
  CHECK(normalized(U"abc", Charsmap(cut, "m")).text() == "abc");
}

}  // namespace precompiled_test
