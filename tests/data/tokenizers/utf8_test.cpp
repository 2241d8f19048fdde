#include "data/tokenizers/utf8.h"

#include <doctest/doctest.h>

namespace utf8_test {

using namespace preamble;

TEST_CASE("utf8: characters of every length survive a round trip") {
  const std::u32string text = {U'a', 0x7F, 0x80, 0x7FF, 0x800, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF, 0};
  const std::string bytes = encode_utf8(text);
  CHECK(bytes.size() == 1 + 1 + 2 + 2 + 3 + 3 + 3 + 4 + 4 + 1);
  CHECK(decode_utf8(bytes) == text);
  CHECK(count_chars(bytes) == text.size());
  for (const char32_t c : text) CHECK(utf8_bytes(c) == encode_utf8(std::u32string(1, c)).size());
  CHECK(is_utf8(bytes));
  CHECK(repaired_utf8(bytes) == bytes);
}

TEST_CASE("utf8: each maximal invalid part is one U+FFFD") {
  const auto repaired = [](std::string_view text) { return decode_utf8(text); };
  CHECK(repaired("\x80") == U"\uFFFD");
  CHECK(repaired("\xC0\x80") == U"\uFFFD\uFFFD");  // an overlong form has no valid beginning
  CHECK(repaired("\xE2\x96") == U"\uFFFD");        // cut off: one part
  CHECK(repaired("\xE2\x96z") == U"\uFFFDz");
  CHECK(repaired("\xED\xA0\x80") == U"\uFFFD\uFFFD\uFFFD");  // a surrogate
  CHECK(repaired("\xF0\x90\x80") == U"\uFFFD");
  CHECK(repaired("\xF4\x90\x80\x80") == U"\uFFFD\uFFFD\uFFFD\uFFFD");  // above U+10FFFF
  CHECK(repaired("a\xFF"
                 "b") == U"a\uFFFDb");
  CHECK_FALSE(is_utf8("a\xFF"));
  CHECK(repaired_utf8("a\xFF") == "a\uFFFD");
}

}  // namespace utf8_test
