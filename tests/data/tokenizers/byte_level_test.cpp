#include "data/tokenizers/byte_level.h"

#include <set>
#include <vector>

#include <doctest/doctest.h>

namespace byte_level_test {

using namespace preamble;

namespace {

std::vector<std::u32string> pieces(std::u32string_view text) {
  std::vector<std::u32string> out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = piece_end(text, begin);
    out.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return out;
}

using Pieces = std::vector<std::u32string>;

}  // namespace

TEST_CASE("byte_level: every byte has a printable character of its own") {
  std::set<char32_t> chars;
  for (int byte = 0; byte < 256; ++byte) chars.insert(byte_to_char(static_cast<unsigned char>(byte)));
  CHECK(chars.size() == 256);
  CHECK(byte_to_char('a') == U'a');
  CHECK(byte_to_char(' ') == U'Ġ');
  CHECK(byte_to_char('\n') == U'Ċ');
  CHECK(byte_to_char(0xAD) == 0x143);
}

TEST_CASE("byte_level: tokens go back to bytes, others stay as they are") {
  CHECK(bytes_of_token("Ġthe") == " the");
  CHECK(bytes_of_token("Ã©") == "é");
  CHECK(bytes_of_token("<☃>") == "<☃>");
}

TEST_CASE("byte_level: splits words, numbers and the rest, each with one leading space") {
  CHECK(pieces(U"Hello world") == Pieces{U"Hello", U" world"});
  CHECK(pieces(U"a1 23!? x") == Pieces{U"a", U"1", U" 23", U"!?", U" x"});
  CHECK(pieces(U"e\u0301") == Pieces{U"e", U"\u0301"});
}

TEST_CASE("byte_level: a run of white space gives up its last character") {
  CHECK(pieces(U"a   b") == Pieces{U"a", U"  ", U" b"});
  CHECK(pieces(U"a\n\nb") == Pieces{U"a", U"\n", U"\n", U"b"});
  CHECK(pieces(U"a \nb") == Pieces{U"a", U" ", U"\n", U"b"});
  CHECK(pieces(U"a\u00A0b") == Pieces{U"a", U"\u00A0", U"b"});
  CHECK(pieces(U"a  ") == Pieces{U"a", U"  "});
  CHECK(pieces(U" ") == Pieces{U" "});
}

TEST_CASE("byte_level: contractions are lower case and have U+0027") {
  CHECK(pieces(U"it's we'll I'M") == Pieces{U"it", U"'s", U" we", U"'ll", U" I", U"'", U"M"});
  CHECK(pieces(U"it\u2019s") == Pieces{U"it", U"\u2019", U"s"});
  CHECK(pieces(U"'story") == Pieces{U"'s", U"tory"});
  CHECK(pieces(U" 's") == Pieces{U" '", U"s"});
}

}  // namespace byte_level_test
