#include "data/tokenizers/tokenizer.h"

#include <thread>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_folder.h"

namespace tokenizer_test {

using namespace preamble;

namespace {

/// A WordPiece tokenizer with one token a letter: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4, a 5, b 6, ... h 12, ##x 13.
std::unique_ptr<Tokenizer> letters() {
  const testing::TemporaryFolder folder;
  return load_tokenizer(folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\nf\ng\nh\n##x\n"));
}

using Ids = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("tokenizer: knows its tokens and their roles") {
  const auto tokenizer = letters();
  CHECK(tokenizer->size() == 14);
  CHECK(tokenizer->token_to_id("c") == 7);
  CHECK_FALSE(tokenizer->token_to_id("z").has_value());
  CHECK(tokenizer->id_to_token(13) == "##x");
  CHECK_FALSE(tokenizer->id_to_token(14).has_value());
  CHECK_FALSE(tokenizer->id_to_token(-1).has_value());
  CHECK(tokenizer->special().pad == 0);
  CHECK(tokenizer->special().unk == 1);
  CHECK(tokenizer->special().cls == 2);
  CHECK(tokenizer->special().sep == 3);
  CHECK(tokenizer->special().mask == 4);
  CHECK_FALSE(tokenizer->special().bos.has_value());
  CHECK(tokenizer->is_special(4));
  CHECK_FALSE(tokenizer->is_special(5));
  CHECK(tokenizer->special_count(false) == 2);
  CHECK(tokenizer->special_count(true) == 3);
}

TEST_CASE("tokenizer: a text has special tokens around it, with offsets [0, 0)") {
  const Encoding encoding = letters()->encode("a bx");
  CHECK(encoding.ids == Ids{2, 5, 6, 13, 3});
  CHECK(encoding.offsets == std::vector<CharRange>{{0, 0}, {0, 1}, {2, 3}, {3, 4}, {0, 0}});
  CHECK(encoding.type_ids == Ids{0, 0, 0, 0, 0});
  CHECK(encoding.sequence_ids == Ids{-1, 0, 0, 0, -1});
  CHECK(encoding.word_ids == Ids{-1, -1, -1, -1, -1});
  CHECK(encoding.overflow == 0);
  CHECK(encoding.is_special(0));
  CHECK_FALSE(encoding.is_special(1));
  CHECK(letters()->encode("a bx", {.add_special_tokens = false}).ids == Ids{5, 6, 13});
}

TEST_CASE("tokenizer: a pair has two segments, an empty second text is none, an empty first text stays") {
  const auto tokenizer = letters();
  const Encoding pair = tokenizer->encode("a b", "c");
  CHECK(pair.ids == Ids{2, 5, 6, 3, 7, 3});
  CHECK(pair.type_ids == Ids{0, 0, 0, 0, 1, 1});
  CHECK(pair.sequence_ids == Ids{-1, 0, 0, -1, 1, -1});
  CHECK(tokenizer->encode("a", "").ids == Ids{2, 5, 3});
  CHECK(tokenizer->encode("", "a").ids == Ids{2, 3, 5, 3});
  CHECK(tokenizer->encode("").ids == Ids{2, 3});
}

TEST_CASE("tokenizer: max_length counts special tokens and the overflow is reported") {
  const auto tokenizer = letters();
  const Encoding cut = tokenizer->encode("a b c d e", {.max_length = 4});
  CHECK(cut.ids == Ids{2, 5, 6, 3});
  CHECK(cut.overflow == 3);
  CHECK(tokenizer->encode("a b c d e", {.add_special_tokens = false, .max_length = 4}).ids == Ids{5, 6, 7, 8});
  const Encoding pair = tokenizer->encode("a b c", "d e f g h", {.max_length = 7});
  CHECK(pair.ids == Ids{2, 5, 6, 3, 8, 9, 3});
  CHECK(pair.overflow == 4);
  CHECK(tokenizer->encode("a b c", "d e f", {.max_length = 7, .truncation = Truncation::only_first}).ids == Ids{2, 5, 3, 8, 9, 10, 3});
  CHECK_THROWS_WITH_AS(static_cast<void>(tokenizer->encode("a", {.max_length = 1})),
                       "tokenizer: max_length 1 with 2 special tokens; wanted room for them", ConfigError);
}

TEST_CASE("tokenizer: windows overlap and repeat the special tokens and the other text") {
  const auto tokenizer = letters();
  const auto windows = tokenizer->encode_windows("a b c d e", {.max_length = 5, .stride = 1});
  REQUIRE(windows.size() == 2);
  CHECK(windows[0].ids == Ids{2, 5, 6, 7, 3});
  CHECK(windows[1].ids == Ids{2, 7, 8, 9, 3});
  CHECK(windows[1].offsets[1] == CharRange{4, 5});
  CHECK(windows[1].overflow == 2);

  const EncodeOptions second{.max_length = 6, .truncation = Truncation::only_second, .stride = 1};
  const auto pairs = tokenizer->encode_windows("a", "b c d", second);
  REQUIRE(pairs.size() == 2);
  CHECK(pairs[0].ids == Ids{2, 5, 3, 6, 7, 3});
  CHECK(pairs[1].ids == Ids{2, 5, 3, 7, 8, 3});
  CHECK(pairs[1].type_ids == Ids{0, 0, 0, 1, 1, 1});
  CHECK(tokenizer->encode_windows("a", "b", second).size() == 1);
  CHECK(tokenizer->encode_windows("a b", {}).size() == 1);
}

TEST_CASE("tokenizer: windows refuse what cannot advance or is ambiguous") {
  const auto tokenizer = letters();
  CHECK_THROWS_WITH_AS(static_cast<void>(tokenizer->encode_windows("a b c d", {.max_length = 4, .stride = 2})),
                       "windows: stride 2 with 2 tokens in a window; wanted a smaller stride", ConfigError);
  CHECK_THROWS_WITH_AS(static_cast<void>(tokenizer->encode_windows("a b c", "d e f", {.max_length = 6})),
                       "windows: a pair of 3 and 3 tokens with longest_first; wanted only_first or only_second", ConfigError);
}

TEST_CASE("tokenizer: words are texts of their own, with their own offsets") {
  const std::vector<std::string> words = {"a b", "", "[MASK]c"};
  const Encoding encoding = letters()->encode(words);
  CHECK(encoding.ids == Ids{2, 5, 6, 4, 7, 3});
  CHECK(encoding.word_ids == Ids{-1, 0, 0, 2, 2, -1});
  CHECK(encoding.offsets == std::vector<CharRange>{{0, 0}, {0, 1}, {2, 3}, {0, 6}, {6, 7}, {0, 0}});
}

TEST_CASE("tokenizer: added tokens are found in the raw text, offsets count code points") {
  const Encoding encoding = letters()->encode("é ☃ [MASK]a [mask]", {.add_special_tokens = false});
  CHECK(encoding.ids == Ids{9, 1, 4, 5, 1, 1, 1});
  CHECK(encoding.offsets[2] == CharRange{4, 10});
  CHECK(encoding.offsets[3] == CharRange{10, 11});
}

TEST_CASE("tokenizer: invalid UTF-8 counts as one character a part") {
  const Encoding encoding = letters()->encode("a \xFF\xFE b", {.add_special_tokens = false});
  CHECK(encoding.ids == Ids{5, 6});
  CHECK(encoding.offsets[1] == CharRange{5, 6});
}

TEST_CASE("tokenizer: decoding leaves out what has no token and, if asked, special tokens") {
  const auto tokenizer = letters();
  CHECK(tokenizer->decode(Ids{2, 5, 13, 6, 3, 99, -1}) == "ax b");
  CHECK(tokenizer->decode(Ids{2, 5, 3}, false) == "[CLS] a [SEP]");
  CHECK(tokenizer->decode(Ids{}) == "");
}

TEST_CASE("tokenizer: several threads may share one") {
  const auto tokenizer = letters();
  const Ids wanted = tokenizer->encode("a bx c [MASK] é").ids;
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) count += tokenizer->encode("a bx c [MASK] é").ids != wanted;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

}  // namespace tokenizer_test
