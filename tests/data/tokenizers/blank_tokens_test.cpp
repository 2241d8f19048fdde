#include "data/tokenizers/blank_tokens.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/utf8.h"
#include "tests/data/tokenizers/builders.h"
#include "tests/support/temporary_folder.h"

namespace blank_tokens_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Ids = std::vector<std::int32_t>;

/// GPT-2's files with the tokens of blanks above: bytes 0 to 255, the end 256, then from 257 on.
std::unique_ptr<Tokenizer> byte_level(const TemporaryFolder& folder) {
  nlohmann::json vocab;
  for (int byte = 0; byte < 256; ++byte) vocab[encode_utf8(std::u32string(1, byte_to_char(static_cast<unsigned char>(byte))))] = byte;
  vocab["<|endoftext|>"] = 256;
  folder.write("vocab.json", vocab.dump());
  folder.write("merges.txt", "#version: 0.2\n");
  folder.write("added_tokens.json", R"({"<|endoftext|>": 256, "<|startofpiece|>": 257, "<|endofpiece|>": 258, "[CLS]": 259, "[MASK]": 260,
    "[SEP]": 261, "[UNK]": 262, "[gMASK]": 263, "[sMASK]": 264})");
  return load_tokenizer(folder.path());
}

}  // namespace

TEST_CASE("blank tokens: a byte-level vocabulary frames texts, and masks swallow the space in front of them") {
  const TemporaryFolder folder;
  const auto tokenizer = byte_level(folder);
  CHECK(tokenizer->encode("a [MASK].").ids == Ids{259, 'a', 260, '.', 256});
  CHECK(tokenizer->encode("a [gMASK]", "b").ids == Ids{259, 'a', 263, 261, 'b', 256});
  CHECK(tokenizer->special().mask == 260);
  CHECK(tokenizer->special().cls == 259);
  CHECK(tokenizer->special().eos == 256);
  CHECK(tokenizer->decode(Ids{257, 'a', 'b', 258}) == "ab");
  CHECK(tokenizer->decode(Ids{257, 'a', 258}, false) == "<|startofpiece|>a<|endofpiece|>");
}

TEST_CASE("blank tokens: a WordPiece vocabulary keeps BERT's frame") {
  const TemporaryFolder folder;
  folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncat\n.\n");
  folder.write("added_tokens.json", R"({"<|startofpiece|>": 7, "<|endofpiece|>": 8})");
  const auto tokenizer = load_tokenizer(folder.path());
  CHECK(tokenizer->encode("cat [MASK].").ids == Ids{2, 5, 4, 6, 3});
  CHECK(tokenizer->token_to_id("<|startofpiece|>") == 7);
  CHECK(tokenizer->decode(Ids{7, 5, 8}) == "cat");
}

TEST_CASE("blank tokens: a SentencePiece model without any of them gets them from added_tokens.json") {
  const TemporaryFolder folder;
  folder.write("cog-pretrain.model", sentencepiece_file({{"<unk>", 0}, {"\u2581a", -1}, {"b", -2}, {"\u2581", -3}}, 0));
  folder.write("added_tokens.json", R"({"<|endoftext|>": 4, "[SEP]": 5, "[CLS]": 6, "[MASK]": 7, "[UNK]": 8, "<|startofpiece|>": 9,
    "<|endofpiece|>": 10, "[sMASK]": 11, "[gMASK]": 12})");
  const auto tokenizer = load_tokenizer(folder.path());
  CHECK(tokenizer->encode("ab [MASK]").ids == Ids{6, 1, 2, 7, 4});
  CHECK(tokenizer->decode(Ids{9, 1, 2, 10}) == "ab");
  CHECK(tokenizer->special().mask == 7);
}

TEST_CASE("blank tokens: other vocabularies are left alone") {
  const TemporaryFolder folder;
  folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncat\n");
  TokenizerParts parts{.vocabulary = Vocabulary("v")};
  parts.vocabulary.add("cat", 0);
  CHECK_FALSE(mark_blank_tokens(parts, MaskSpace::stripped));
  CHECK(load_tokenizer(folder.path())->encode("cat").ids == Ids{2, 5, 3});
}

}  // namespace blank_tokens_test
