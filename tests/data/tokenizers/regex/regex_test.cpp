#include "data/tokenizers/regex/regex.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace regex_test {

using namespace preamble;

namespace {

std::vector<std::string> matches(std::string_view expression, std::string_view text) {
  std::vector<std::string> out;
  for (const auto& [begin, end] : Regex(expression, "t.json").matches(text)) out.emplace_back(text.substr(begin, end - begin));
  return out;
}

using Strings = std::vector<std::string>;

void malformed(std::string_view expression, const std::string& what) {
  const std::string message = "t.json: regular expression '" + std::string(expression) + "': " + what;
  CHECK_THROWS_WITH_AS(Regex(expression, "t.json"), (message + "; wanted an expression as Oniguruma reads it").c_str(), FileError);
}

void unsupported(std::string_view expression) { CHECK_THROWS_AS(Regex(expression, "t.json"), UnsupportedError); }

constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

}  // namespace

TEST_CASE("regex: characters, sets and alternatives match from the left") {
  CHECK(matches("ab|a", "aabab") == Strings{"a", "ab", "ab"});
  CHECK(matches("[a-c]+", "abcxcz") == Strings{"abc", "c"});
  CHECK(matches("[^a-c☃]", "a☃xé") == Strings{"x", "é"});
  CHECK(matches(".", "a\né") == Strings{"a", "é"});
  CHECK(matches("(?m:.)", "\n") == Strings{"\n"});
  CHECK(matches(R"(\x41\x{e9}\u0042\t)", "AéB\t") == Strings{"AéB\t"});
}

TEST_CASE("regex: repetitions are greedy, lazy or possessive") {
  CHECK(matches("a+b?", "aaab") == Strings{"aaab"});
  CHECK(matches("a{2,3}", "aaaaa") == Strings{"aaa", "aa"});
  CHECK(matches("a{,2}b", "aaab") == Strings{"aab"});
  CHECK(matches("a{2}", "aaaaa") == Strings{"aa", "aa"});
  CHECK(matches("<.+?>", "<a><b>") == Strings{"<a>", "<b>"});
  CHECK(matches("<.{2,}?>", "<a><b>") == Strings{"<a><b>"});
  CHECK(matches("a++ab", "aaab").empty());
  CHECK(matches("(?:ab)++c", "ababc") == Strings{"ababc"});
  CHECK(matches("(ab|c){2,}", "abcab ab") == Strings{"abcab"});
  CHECK(matches("(?:ab)+?", "abab") == Strings{"ab", "ab"});
  CHECK(matches("a{b", "xa{b") == Strings{"a{b"});
  CHECK(matches("(?>a+)ab", "aaab").empty());
}

TEST_CASE("regex: an empty match stands between characters, but not directly behind another match") {
  const Regex regex("x*", "t.json");
  CHECK(regex.matches("axb") == std::vector<ByteRange>{{0, 0}, {1, 2}, {3, 3}});
  CHECK(Regex("(?:x*)*", "t.json").matches("x") == std::vector<ByteRange>{{0, 1}});
  CHECK(Regex("(?=b)", "t.json").matches("abab") == std::vector<ByteRange>{{1, 1}, {3, 3}});
  CHECK(regex.matches("").empty());
}

TEST_CASE("regex: looks ahead and behind") {
  CHECK(matches(R"(\s+(?!\S))", "a   b  ") == Strings{"  ", "  "});
  CHECK(matches("a(?=b)", "abac") == Strings{"a"});
  CHECK(matches("(?<=é)b", "ébab") == Strings{"b"});
  CHECK(matches("(?<!a|cd)b", "abcdbxb") == Strings{"b"});
  CHECK(matches(R"(\d{1,3}(?=(?:\d{3})*\b))", "1234567") == Strings{"1", "234", "567"});
}

TEST_CASE("regex: places") {
  CHECK(matches("^a", "aa\na") == Strings{"a", "a"});
  CHECK(matches("a$", "aa\na") == Strings{"a", "a"});
  CHECK(matches(R"(\Aa|a\z)", "aaa") == Strings{"a", "a"});
  CHECK(matches(R"(a\Z)", "aa\n") == Strings{"a"});
  CHECK(matches(R"(\b\w)", "ab cd") == Strings{"a", "c"});
  CHECK(matches(R"(\B\w)", "ab cd") == Strings{"b", "d"});
}

TEST_CASE("regex: case is ignored for a group or from a place on, with Unicode's folding") {
  CHECK(matches("(?i:'s)x", "'Sx'sX'\u017Fx") == Strings{"'Sx", "'\u017Fx"});
  CHECK(matches("a(?i)b|c", "aB abC C") == Strings{"aB", "ab"});
  CHECK(matches("(?i)[a-c]+", "aBCé") == Strings{"aBC"});
  CHECK(matches("(?i)É", "éÉ") == Strings{"é", "É"});
}

TEST_CASE("regex: classes are those of Unicode 16 and of White_Space") {
  CHECK(matches(R"(\p{L}+)", "aé本\u0301b") == Strings{"aé本", "b"});
  CHECK(matches(R"(\p{Lu})", "aBÉ") == Strings{"B", "É"});
  CHECK(matches(R"(\P{L})", "a1") == Strings{"1"});
  CHECK(matches(R"(\p{^L})", "a1") == Strings{"1"});
  CHECK(matches(R"(\p{N})", "½٣x") == Strings{"½", "٣"});
  CHECK(matches(R"(\s)", "\u0085\u00A0\u3000\u200B\u180E\u001C") == Strings{"\u0085", "\u00A0", "\u3000"});
  CHECK(matches(R"(\p{Han}+)", "a漢字か") == Strings{"漢字"});
  CHECK(matches(R"([\p{L}\p{M}]+)", "e\u0301x!") == Strings{"e\u0301x"});
}

TEST_CASE("regex: case is ignored inside of sets, not for a class that stands alone") {
  CHECK(matches(R"((?i)\p{Lu})", "aA") == Strings{"A"});
  CHECK(matches(R"((?i)[\p{Lu}])", "aA") == Strings{"a", "A"});
  CHECK(matches(R"((?i)[^\p{Lu}])", "aA1") == Strings{"1"});
  CHECK(matches(R"((?i)[[:upper:]])", "aA1") == Strings{"a", "A"});
}

TEST_CASE("regex: numbers of Latin-1 are words outside of sets, and for boundaries") {
  CHECK(matches(R"(\w+)", "a²½ b") == Strings{"a²½", "b"});
  CHECK(matches(R"([\w]+)", "a²½ b") == Strings{"a", "b"});
  CHECK(matches(R"([^\w])", "a²") == Strings{"²"});
  CHECK(matches(R"(\b.)", "a² ½") == Strings{"a", " ", "½"});
  CHECK(matches(R"([\p{Word}]|\p{^Word})", "²a-") == Strings{"a", "-"});
}

TEST_CASE("regex: line breaks, and any character with and without them") {
  CHECK(matches(R"(\R)", "a\r\nb\n\r\u2028\v") == Strings{"\r\n", "\n", "\r", "\u2028", "\v"});
  CHECK(matches(R"(\N+)", "ab\ncd") == Strings{"ab", "cd"});
  CHECK(matches(R"(\O+)", "a\nb") == Strings{"a\nb"});
}

TEST_CASE("regex: names of properties are read without case, spaces, hyphens and underscores") {
  CHECK(matches(R"(\p{Uppercase_Letter}|\p{decimal number}|\p{HAN}|\p{white-space})", "aB1漢 ") == Strings{"B", "1", "漢", " "});
}

TEST_CASE("regex: sets nest, and && intersects") {
  CHECK(matches("[a[b-d]]+", "abde") == Strings{"abd"});
  CHECK(matches("[a-z&&[^b-d]]+", "abcde") == Strings{"a", "e"});
  CHECK(matches("[^a-z&&[^b]]", "ab1") == Strings{"b", "1"});
  CHECK(matches(R"( ?[^(\s|[.,!?…])]+)", "a, b(c") == Strings{"a", " b", "c"});
  CHECK(matches("[]a-]+", "]a-b") == Strings{"]a-"});
  CHECK(matches("[[:digit:][:punct:]]+", "a1.b") == Strings{"1."});
}

TEST_CASE("regex: the split of Llama 3") {
  CHECK(matches(kLlama3, "I'LL pay 12345 \t(now)!\n\n x  ") ==
        Strings{"I", "'LL", " pay", " ", "123", "45", " ", "\t", "(now", ")!\n\n", " x", "  "});
}

TEST_CASE("regex: refuses what is malformed or not built in") {
  malformed("a)", "a ')' that closes nothing at character 1");
  malformed("(a", "a group without its ')' at character 2");
  malformed("[a", "an end where a character was expected at character 2");
  malformed("*a", "a repetition of nothing at character 0");
  malformed("[b-a]", "a range that ends before it begins at character 4");
  malformed("a{3,2}", "a repetition count out of range at character 6");
  malformed(R"(\x{110000})", "a character number that is none at character 9");
  for (const char* expression : {R"((a)\1)", "(?(1)a)", R"(\X)", R"(\p{Klingon})", "(?<=a+)b", "[[:klingon:]]", R"(\Q)"}) unsupported(expression);
}

TEST_CASE("regex: a match that takes too many steps is an error, a long one is none") {
  CHECK_THROWS_AS(static_cast<void>(Regex("(?:a|a)*b", "t.json").matches(std::string(40, 'a'))), Error);
  CHECK(matches("(?:a|b)+", std::string(100'000, 'a')).size() == 1);
}

}  // namespace regex_test
