#include "data/tokenizers/tokenizer.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_folder.h"

namespace load_wordpiece_test {

using namespace preamble;

namespace {

std::unique_ptr<Tokenizer> sample(std::string_view config = "{}") {
  const testing::TemporaryFolder folder;
  folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\n##a\n.\n'\nt\ndon\ncafe\n##s\n\xE4\xB8\x80\nUn");
  folder.write("tokenizer_config.json", config);
  return load_tokenizer(folder.path());
}

Encoding plain(const Tokenizer& tokenizer, std::string_view text) { return tokenizer.encode(text, {.add_special_tokens = false}); }

using Ids = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("wordpiece: takes the longest piece from the left") {
  const auto tokenizer = sample();
  CHECK(plain(*tokenizer, "unaffable").ids == Ids{5, 6, 7});
  CHECK(plain(*tokenizer, "una").ids == Ids{5, 8});
}

TEST_CASE("wordpiece: a word with a rest that nothing covers is unknown as a whole") {
  const Encoding encoding = plain(*sample(), "unaffz un");
  CHECK(encoding.ids == Ids{1, 5});
  CHECK(encoding.offsets[0] == CharRange{0, 6});
}

TEST_CASE("wordpiece: a word of more than a hundred characters is unknown") {
  const auto tokenizer = sample();
  std::string word = "un";
  while (word.size() < 100) word += "a";
  CHECK(plain(*tokenizer, word).ids.size() == 99);
  CHECK(plain(*tokenizer, word + "a").ids == Ids{1});
}

TEST_CASE("wordpiece: punctuation and ideographs are words of their own") {
  CHECK(plain(*sample(), "un.don't").ids == Ids{5, 9, 12, 10, 11});
  CHECK(plain(*sample(), "un\u4E00un").ids == Ids{5, 15, 5});
}

TEST_CASE("wordpiece: offsets go from the first kept character to the last") {
  const Encoding encoding = plain(*sample(), "CAFE\u0301 cafe\u0301s");
  CHECK(encoding.ids == Ids{13, 13, 14});
  CHECK(encoding.offsets == std::vector<CharRange>{{0, 4}, {6, 10}, {11, 12}});
}

TEST_CASE("wordpiece: tokenizer_config.json decides about case and ideographs") {
  CHECK(plain(*sample(), "Un").ids == Ids{5});
  CHECK(plain(*sample(R"({"do_lower_case": false})"), "Un cafe\u0301").ids == Ids{16, 1});
  CHECK(plain(*sample(R"({"do_lower_case": false, "strip_accents": true})"), "Un cafe\u0301").ids == Ids{16, 13});
  CHECK(plain(*sample(R"({"tokenize_chinese_chars": false})"), "un\u4E00").ids == Ids{1});
}

TEST_CASE("wordpiece: decoding joins pieces and single marks") {
  const auto tokenizer = sample();
  CHECK(tokenizer->decode(Ids{5, 6, 7, 9, 12, 10, 11}) == "unaffable. don ' t");
  CHECK(tokenizer->decode(Ids{2, 6, 5, 3}) == "##aff un");
}

TEST_CASE("wordpiece: refuses a vocabulary without the tokens it needs") {
  const testing::TemporaryFolder folder;
  const auto path = folder.write("vocab.txt", "[UNK]\n[CLS]\na\n");
  CHECK_THROWS_WITH_AS(static_cast<void>(load_tokenizer(path)), (path.string() + ": no sep token in the vocabulary; wanted one").c_str(),
                       FileError);
  folder.write("vocab.txt", "[SEP]\n[CLS]\na\n");
  CHECK_THROWS_WITH_AS(static_cast<void>(load_tokenizer(path)),
                       (path.string() + ": no token '[UNK]'; wanted one for unknown words").c_str(), FileError);
  folder.write("vocab.txt", "[SEP]\n\xFF\n");
  CHECK_THROWS_WITH_AS(static_cast<void>(load_tokenizer(path)),
                       (path.string() + ": not UTF-8; wanted a vocabulary of one token a line").c_str(), FileError);
}

}  // namespace load_wordpiece_test
