#include "data/tokenizers/tokenizer.h"

#include <filesystem>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/data/tokenizers/builders.h"
#include "tests/support/temporary_folder.h"

namespace load_sentencepiece_test {

using namespace preamble;

namespace {

/// Ids: <pad> 0, </s> 1, <unk> 2, ▁ 3, ▁the 4, t 5, h 6, e 7, fi 8, ▁b 9; with `extra_ids` 2: <extra_id_1> 10, <extra_id_0> 11.
std::unique_ptr<Tokenizer> t5(std::string_view config = R"({"extra_ids": 2})") {
  const std::vector<UnigramPiece> pieces = {{"<pad>", 0}, {"</s>", 0}, {"<unk>", 0}, {"▁", -2},  {"▁the", -3},
                                            {"t", -4},    {"h", -4},   {"e", -4},    {"fi", -4}, {"▁b", -3}};
  const testing::TemporaryFolder folder;
  folder.write("spiece.model",
               testing::sentencepiece_file(pieces, 2, testing::charsmap_blob({{"\uFB01", "fi"}, {"\u200B", " "}, {"\u0001", ""}})));
  folder.write("tokenizer_config.json", config);
  return load_tokenizer(folder.path());
}

using Ids = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("load_sentencepiece: words begin with a mark, T5 ends a text with </s>") {
  const Encoding encoding = t5()->encode("the  t \u200Bb\n");
  CHECK(encoding.ids == Ids{4, 3, 5, 9, 1});
  CHECK(encoding.offsets == std::vector<CharRange>{{0, 3}, {5, 6}, {5, 6}, {8, 9}, {0, 0}});
  CHECK(t5()->encode(" \n ").ids == Ids{1});
  CHECK(t5()->encode("the", "b").ids == Ids{4, 1, 9, 1});
  CHECK(t5()->encode("the", "b").type_ids == Ids{0, 0, 0, 0});
}

TEST_CASE("load_sentencepiece: T5's class ends a text with </s> whatever add_bos_token and add_eos_token say, as in transformers") {
  for (const auto* config : {R"({"extra_ids": 2, "add_bos_token": true})", R"({"extra_ids": 2, "add_bos_token": false})",
                             R"({"extra_ids": 2, "add_eos_token": false})"}) {
    CHECK(t5(config)->encode("the", "b").ids == Ids{4, 1, 9, 1});
  }
}

TEST_CASE("load_sentencepiece: neighbouring unknowns of a word are one token") {
  const Encoding encoding = t5()->encode("☃☃t ☃", {.add_special_tokens = false});
  CHECK(encoding.ids == Ids{3, 2, 5, 3, 2});
  CHECK(encoding.offsets[1] == CharRange{0, 2});
}

TEST_CASE("load_sentencepiece: offsets follow the charsmap") {
  const Encoding encoding = t5()->encode("e\u0001\uFB01e", {.add_special_tokens = false});
  CHECK(encoding.ids == Ids{3, 7, 8, 7});
  CHECK(encoding.offsets == std::vector<CharRange>{{0, 1}, {0, 1}, {2, 3}, {3, 4}});
}

TEST_CASE("load_sentencepiece: sentinels lie above the pieces, the last one first, and a word begins after them") {
  const auto tokenizer = t5();
  CHECK(tokenizer->size() == 12);
  CHECK(tokenizer->token_to_id("<extra_id_0>") == 11);
  CHECK(tokenizer->token_to_id("<extra_id_1>") == 10);
  CHECK(tokenizer->is_special(11));
  CHECK(tokenizer->encode("the<extra_id_0>b</s>").ids == Ids{4, 11, 9, 1, 1});
  CHECK(tokenizer->encode("<extra_id_2>", {.add_special_tokens = false}).ids.front() != 11);
  CHECK(t5("{}")->size() == 110);
  CHECK_THROWS_AS(static_cast<void>(t5(R"({"extra_ids": 1000000000})")), FileError);
}

TEST_CASE("load_sentencepiece: decoding turns marks into spaces but for the first token's") {
  const auto tokenizer = t5();
  CHECK(tokenizer->decode(Ids{4, 9, 5, 1}) == "the bt");
  CHECK(tokenizer->decode(Ids{0, 4, 2, 9}) == "the b");
  CHECK(tokenizer->decode(Ids{0, 4}, false) == "<pad> the");
  CHECK(tokenizer->decode(Ids{4, 500}) == "the");
}

TEST_CASE("load_sentencepiece: DeBERTa-v2 has its own special tokens and segments") {
  const std::vector<UnigramPiece> pieces = {{"[PAD]", 0}, {"[CLS]", 0}, {"[SEP]", 0}, {"[UNK]", 0}, {"▁a", -1}, {"▁B", -1}, {"▁b", -1}};
  const testing::TemporaryFolder folder;
  folder.write("spm.model", testing::sentencepiece_file(pieces, 3));
  folder.write("config.json", R"({"model_type": "deberta-v2"})");
  folder.write("added_tokens.json", R"({"[MASK]": 7})");
  folder.write("tokenizer_config.json", R"({"do_lower_case": false})");
  const auto tokenizer = load_tokenizer(folder.path());
  const Encoding pair = tokenizer->encode("a[MASK]", "B");
  CHECK(pair.ids == Ids{1, 4, 7, 2, 5, 2});
  CHECK(pair.type_ids == Ids{0, 0, 0, 0, 1, 1});
  CHECK(tokenizer->special().mask == 7);
  CHECK(tokenizer->special().unk == 3);
  CHECK(tokenizer->size() == 8);
  CHECK(tokenizer->encode(" a  b", {.add_special_tokens = false}).offsets == std::vector<CharRange>{{0, 2}, {3, 5}});
  CHECK(tokenizer->decode(pair.ids) == "a B");

  folder.write("tokenizer_config.json", R"({"do_lower_case": true})");
  CHECK(load_tokenizer(folder.path())->encode("B").ids == Ids{1, 6, 2});
  std::filesystem::remove(folder.path() / "added_tokens.json");
  CHECK(load_tokenizer(folder.path())->encode("[MASK]").ids == Ids{1, 7, 2});
  folder.write("tokenizer_config.json", R"({"split_by_punct": true})");
  CHECK(load_tokenizer(folder.path())->encode("a!b", {.add_special_tokens = false}).offsets == std::vector<CharRange>{{0, 1}, {1, 2}, {2, 3}});
}

TEST_CASE("load_sentencepiece: XLM-RoBERTa has fairseq's ids") {
  const std::vector<UnigramPiece> pieces = {{"<unk>", 0}, {"<s>", 0}, {"</s>", 0}, {"▁a", -1}, {"▁b", -1}};
  const testing::TemporaryFolder folder;
  folder.write("sentencepiece.bpe.model", testing::sentencepiece_file(pieces, 0));
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "XLMRobertaTokenizer"})");
  const auto tokenizer = load_tokenizer(folder.path());
  CHECK(tokenizer->encode("a <mask>", "b ☃").ids == Ids{0, 4, 6, 2, 2, 5, 3, 2});
  CHECK(tokenizer->encode("a", "b").type_ids == Ids(6, 0));
  CHECK(tokenizer->special().pad == 1);
  CHECK(tokenizer->special().mask == 6);
  CHECK(tokenizer->decode(Ids{0, 4, 5, 2}) == "a b");
}

TEST_CASE("load_sentencepiece: a BPE model merges neighbours while their text is a piece, the highest score first") {
  const std::vector<UnigramPiece> pieces = {{"<unk>", 0}, {"<s>", 0},  {"</s>", 0}, {"▁a", -1}, {"ab", -2}, {"▁ab", -3},
                                            {"▁", -4},    {"a", -5},   {"b", -6}};
  const testing::TemporaryFolder folder;
  folder.write("tokenizer.model", testing::sentencepiece_file(pieces, 0, "", 2));
  const auto tokenizer = load_tokenizer(folder.path());
  CHECK(tokenizer->encode("ab ab").ids == Ids{1, 5, 5});
  CHECK(tokenizer->encode("aab", {.add_special_tokens = false}).ids == Ids{3, 4});
  CHECK(tokenizer->encode(" ax", {.add_special_tokens = false}).ids == Ids{6, 3, 0});
  CHECK(tokenizer->decode(Ids{1, 5, 8}) == "abb");
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizer", "legacy": false, "add_bos_token": false, "add_eos_token": true})");
  CHECK(load_tokenizer(folder.path())->encode(" ab").ids == Ids{5, 2});
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "GemmaTokenizer"})");
  CHECK(load_tokenizer(folder.path())->encode("ab ab").ids == Ids{1, 4, 5});
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "NllbTokenizer"})");
  CHECK_THROWS_AS(static_cast<void>(load_tokenizer(folder.path())), UnsupportedError);
}

}  // namespace load_sentencepiece_test
