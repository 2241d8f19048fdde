#include "data/tokenizers/normalizers/bert.h"

#include <doctest/doctest.h>

#include "data/tokenizers/utf8.h"

namespace normalizers_bert_test {

using namespace preamble;

namespace {

AlignedText normalized(std::u32string_view text, const BertNormalizerOptions& options = {}, std::int32_t base = 0) {
  AlignedText out(encode_utf8(text), base);
  BertNormalizer(options).normalize(out);
  return out;
}

std::u32string uncased(std::u32string_view text) { return decode_utf8(normalized(text).text()); }

std::u32string cased(std::u32string_view text) {
  return decode_utf8(normalized(text, {.strip_accents = false, .lowercase = false}).text());
}

}  // namespace

TEST_CASE("bert_normalizer: removes control characters and unifies spaces") {
  CHECK(cased(U"a\u0001b\uFFFD\u200Bc") == U"abc");
  CHECK(cased(std::u32string_view(U"a\0b", 3)) == U"ab");
  CHECK(cased(U"a\tb\u2028c\u00A0d") == U"a b c d");
  CHECK(cased(U"a\u0085b\u000Bc") == U"abc");
}

TEST_CASE("bert_normalizer: sets ideographs apart") {
  CHECK(cased(U"a\u4E00\u4E01b") == U"a \u4E00  \u4E01 b");
  CHECK(cased(U"\u3042\uAC00") == U"\u3042\uAC00");
  CHECK(normalized(U"\u4E00", {.handle_chinese_chars = false}).text() == "\u4E00");
}

TEST_CASE("bert_normalizer: uncased text loses accents and case") {
  CHECK(uncased(U"CAFÉ") == U"cafe");
  CHECK(uncased(U"ΑΣ") == U"ασ");
  CHECK(uncased(U"İß") == U"iß");
  CHECK(uncased(U"한") == U"\u1112\u1161\u11AB");
}

TEST_CASE("bert_normalizer: cased text is neither composed nor decomposed") { CHECK(cased(U"Ée\u0301") == U"Ée\u0301"); }

TEST_CASE("bert_normalizer: lower case without stripping keeps the dot of U+0130") {
  CHECK(normalized(U"İÉ", {.strip_accents = false}).text() == "i\u0307é");
}

TEST_CASE("bert_normalizer: characters know where they came from") {
  const AlignedText out = normalized(U"É\u0001x", {}, 5);
  CHECK(out.text() == "ex");
  CHECK(out.origin(0, 1) == CharRange{5, 6});
  CHECK(out.origin(1, 2) == CharRange{7, 8});
}

TEST_CASE("bert_normalizer: reordered marks keep the positions in order") {
  // U+302E (class 224, not stripped) comes before U+0301 (class 230, stripped) and takes its place
  const AlignedText out = normalized(U"a\u0301\u302E");
  CHECK(out.text() == "a\u302E");
  CHECK(out.origin(1, 4) == CharRange{1, 2});
}

}  // namespace normalizers_bert_test
