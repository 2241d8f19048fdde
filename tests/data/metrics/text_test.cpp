#include "data/metrics/text.h"

#include <doctest/doctest.h>

namespace text_test {

using namespace preamble::metrics;

TEST_CASE("text: splits at Unicode white space and the separators that Python knows") {
  CHECK(split_whitespace("  a\tb\nc\u00A0d\u3000e\x1f"
                         "f ") == Tokens{"a", "b", "c", "d", "e", "f"});
  CHECK(split_whitespace(" \n ").empty());
  CHECK(split_whitespace("a\u200Bb") == Tokens{"a\u200Bb"});
}

TEST_CASE("text: splitting at a separator keeps empty pieces") {
  CHECK(split_at("a  b", ' ') == Tokens{"a", "", "b"});
  CHECK(split_at("", ' ') == Tokens{""});
}

TEST_CASE("text: strips ends only") {
  CHECK(strip("\u00A0 a b \n") == "a b");
  CHECK(strip_end(" a \t") == " a");
  CHECK(strip(" \t ").empty());
}

TEST_CASE("text: lower-cases ASCII alone or all of Unicode") {
  CHECK(ascii_lower("ABZ É") == "abz É");
  CHECK(lowered("ABZ ÉΣ") == "abz éσ");
}

TEST_CASE("text: replaces from left to right without looking back") {
  CHECK(replace_all("aaa", "aa", "b") == "ba");
  CHECK(replace_all("none", "x", "y") == "none");
}

TEST_CASE("text: text that is not UTF-8 is taken without harm") {
  CHECK(split_whitespace("a\xFF b\xC3").size() == 2);
  CHECK(lowered("\xFF") == "\uFFFD");
}

}  // namespace text_test
