#include "data/tokenizers/tokenizer.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"
#include "tests/support/temporary_folder.h"

namespace load_byte_level_test {

using namespace preamble;

namespace {

constexpr std::string_view kMerges = "#version: 0.2\nĠ a\na b\n";

/// Ids: the byte itself, Ġa 256, ab 257, then `special` from 258 on.
testing::TemporaryFolder& write_files(testing::TemporaryFolder& folder, const std::vector<std::string>& special) {
  nlohmann::json vocab;
  for (int byte = 0; byte < 256; ++byte) vocab[encode_utf8(std::u32string(1, byte_to_char(static_cast<unsigned char>(byte))))] = byte;
  vocab["Ġa"] = 256;
  vocab["ab"] = 257;
  for (const auto& token : special) vocab[token] = vocab.size();
  folder.write("vocab.json", vocab.dump());
  folder.write("merges.txt", kMerges);
  return folder;
}

std::unique_ptr<Tokenizer> gpt2() {
  testing::TemporaryFolder folder;
  return load_tokenizer(write_files(folder, {"<|endoftext|>"}).path());
}

std::unique_ptr<Tokenizer> roberta() {
  testing::TemporaryFolder folder;
  return load_tokenizer(write_files(folder, {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}).path());
}

using Ids = std::vector<std::int32_t>;
using Ranges = std::vector<CharRange>;

}  // namespace

TEST_CASE("load_byte_level: GPT-2 adds nothing and keeps spaces inside the offsets") {
  const auto tokenizer = gpt2();
  const Encoding encoding = tokenizer->encode("ab a\n<|endoftext|>", "b");
  CHECK(encoding.ids == Ids{257, 256, '\n', 258, 'b'});
  CHECK(encoding.offsets == Ranges{{0, 2}, {2, 4}, {4, 5}, {5, 18}, {0, 1}});
  CHECK(tokenizer->special().eos == 258);
  CHECK(tokenizer->special().bos == 258);
  CHECK_FALSE(tokenizer->special().pad.has_value());
  CHECK(tokenizer->special_count(true) == 0);
}

TEST_CASE("load_byte_level: bytes of one character share its offsets") {
  const Encoding encoding = gpt2()->encode("é☃");
  CHECK(encoding.ids == Ids{0xC3, 0xA9, 0xE2, 0x98, 0x83});
  CHECK(encoding.offsets == Ranges{{0, 1}, {0, 1}, {1, 2}, {1, 2}, {1, 2}});
}

TEST_CASE("load_byte_level: a prefix space goes before each stretch that does not begin with one") {
  const auto tokenizer = gpt2();
  const EncodeOptions prefix{.add_prefix_space = true};
  CHECK(tokenizer->encode("a", prefix).ids == Ids{256});
  CHECK(tokenizer->encode("a", prefix).offsets == Ranges{{0, 1}});
  CHECK(tokenizer->encode(" a", prefix).ids == Ids{256});
  CHECK(tokenizer->encode("\na", prefix).ids == Ids{' ', '\n', 'a'});
  CHECK(tokenizer->encode("\na", prefix).offsets == Ranges{{0, 1}, {0, 1}, {1, 2}});
  CHECK(tokenizer->encode("a<|endoftext|>a", prefix).ids == Ids{256, 258, 256});
  CHECK(tokenizer->encode("", prefix).ids.empty());
}

TEST_CASE("load_byte_level: RoBERTa has special tokens and trims spaces off the offsets") {
  const auto tokenizer = roberta();
  const Encoding encoding = tokenizer->encode("b a", "a");
  CHECK(encoding.ids == Ids{258, 'b', 256, 260, 260, 'a', 260});
  CHECK(encoding.offsets == Ranges{{0, 0}, {0, 1}, {2, 3}, {0, 0}, {0, 0}, {0, 1}, {0, 0}});
  CHECK(encoding.type_ids == Ids(7, 0));
  CHECK(tokenizer->encode("b ", {.add_special_tokens = false}).offsets == Ranges{{0, 1}, {2, 2}});
  CHECK(tokenizer->encode("a", {.add_special_tokens = false, .add_prefix_space = true}).offsets == Ranges{{0, 1}});
}

TEST_CASE("load_byte_level: RoBERTa's mask swallows the white space before it, whatever the files say") {
  const Encoding encoding = roberta()->encode("b \u3000<mask> b", {.add_special_tokens = false});
  CHECK(encoding.ids == Ids{'b', 262, ' ', 'b'});
  CHECK(encoding.offsets[1] == CharRange{3, 9});
}

TEST_CASE("load_byte_level: decoding joins bytes and repairs what is no UTF-8") {
  const auto tokenizer = roberta();
  CHECK(tokenizer->decode(Ids{258, 'b', 256, 0xC3, 0xA9, 260}) == "b aé");
  CHECK(tokenizer->decode(Ids{0xE2, 0x98, 'b', 0x83}) == "\uFFFDb\uFFFD");
  CHECK(tokenizer->decode(Ids{258, 'b'}, false) == "<s>b");
}

TEST_CASE("load_byte_level: refuses a malformed merge by line") {
  testing::TemporaryFolder folder;
  write_files(folder, {});
  for (const std::string_view line : {"a", "a ", " a", "a b c", "a  b"}) {
    const auto path = folder.write("merges.txt", std::string("#version: 0.2\nĠ a\n") + std::string(line));
    const std::string message = path.string() + ":3: '" + std::string(line) + "'; wanted two tokens with one space between";
    CHECK_THROWS_WITH_AS(static_cast<void>(load_tokenizer(folder.path())), message.c_str(), FileError);
  }
}

}  // namespace load_byte_level_test
