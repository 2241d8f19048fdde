#include "data/tokenizers/unicode.h"

#include <string>

#include <doctest/doctest.h>

namespace unicode_test {

using namespace preamble;

namespace {

std::u32string decomposition(char32_t c) {
  std::u32string out;
  append_decomposition(c, out);
  return out;
}

}  // namespace

TEST_CASE("unicode: classes hold what the rules of the tokenizers name") {
  CHECK(is(CharClass::byte_level_letter, U'z'));
  CHECK(is(CharClass::byte_level_letter, 0x4E00));
  CHECK_FALSE(is(CharClass::byte_level_letter, 0x301));
  CHECK(is(CharClass::byte_level_number, 0xBD));
  CHECK_FALSE(is(CharClass::byte_level_number, U'a'));
  for (const char32_t c : {0x9, 0x20, 0x85, 0xA0, 0x3000}) CHECK(is(CharClass::white_space, c));
  for (const char32_t c : {0x1C, 0x200B, 0xFEFF}) CHECK_FALSE(is(CharClass::white_space, c));
  CHECK(is(CharClass::bert_removed, 0xFFFD));
  CHECK(is(CharClass::bert_punctuation, U'$'));
  CHECK_FALSE(is(CharClass::bert_punctuation, 0x2E52));
  CHECK_FALSE(is(CharClass::bert_cjk, 0x3042));
  CHECK_FALSE(is(CharClass::bert_cjk, 0x2B820));
  CHECK(is(CharClass::grapheme_attaches, 0x200D));
  CHECK(is(CharClass::grapheme_prepends, 0x600));
  CHECK(is(CharClass::grapheme_control, 0x200B));
}

TEST_CASE("unicode: lower case goes by character") {
  CHECK(lower(U'A') == U'a');
  CHECK(lower(U'[') == U'[');
  CHECK(lower(0x100) == 0x101);
  CHECK(lower(0x101) == 0x101);
  CHECK(lower(0x3A3) == 0x3C3);
  CHECK(lower(0x130) == 0x130);
  CHECK(lower(0xDF) == 0xDF);
  CHECK(lower(0x10400) == 0x10428);
}

TEST_CASE("unicode: decomposition is full and canonical") {
  CHECK(decomposition(U'a') == U"a");
  CHECK(decomposition(0xE9) == U"e\u0301");
  CHECK(decomposition(0x1EBF) == U"e\u0302\u0301");
  CHECK(decomposition(0x2126) == U"\u03A9");
  CHECK(decomposition(0xFB01) == U"\uFB01");
  CHECK(decomposition(0xAC00) == U"\u1100\u1161");
  CHECK(decomposition(0xD7A3) == U"\u1112\u1175\u11C2");
}

TEST_CASE("unicode: combining classes order the marks") {
  CHECK(combining_class(U'a') == 0);
  CHECK(combining_class(0x301) == 230);
  CHECK(combining_class(0x316) == 220);
  CHECK(combining_class(0x327) == 202);
}

}  // namespace unicode_test
