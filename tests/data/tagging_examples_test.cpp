#include "data/tagging_examples.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/tokenizer.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/word_tokenizer.h"

namespace tagging_examples_test {

using namespace preamble;
using namespace preamble::testing::word;
using testing::TemporaryFile;

namespace {

using Ids = std::vector<std::int32_t>;
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("tagging_examples: the first token of a word carries its tag") {
  const TemporaryFile file("n.conll", "Cats B-X\nin O\nRome B-Y\n\nAnn O\n");
  const auto sentences = tagged_words(ConllFile::read(file.path()), 0, -1);
  const TagSet tags = tag_set(sentences);
  CHECK(tags.names() == Names{"O", "B-X", "B-Y"});
  TruncationReport report;
  const auto examples = tagging_examples(sentences, tags, *testing::word_tokenizer(), 128, report);
  REQUIRE(examples.size() == 2);
  CHECK(examples[0].example.source == Ids{cls, cat, s, in, rome, sep});
  CHECK(examples[0].example.tags == Ids{kNoTag, 1, kNoTag, 0, 2, kNoTag});
  CHECK(examples[0].words == Ids{0, 1, 2});
  CHECK(examples[1].example.row == 1);
}

TEST_CASE("tagging_examples: a byte-level vocabulary reads each word with the space in front of it") {
  nlohmann::json vocab;
  for (int byte = 0; byte < 256; ++byte) vocab[encode_utf8(std::u32string(1, byte_to_char(static_cast<unsigned char>(byte))))] = byte;
  for (const char* token : {"Ġa", "<s>", "<pad>", "</s>", "<unk>", "<mask>"}) vocab[token] = vocab.size();
  testing::TemporaryFolder folder;
  folder.write("vocab.json", vocab.dump());
  folder.write("merges.txt", "#version: 0.2\nĠ a\n");
  // as most checkpoints are stored, for running text
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "RobertaTokenizer", "add_prefix_space": false})");
  const std::vector<TaggedWords> sentences = {{.words = {"a", "b", "a"}, .tags = {"O", "B-X", "O"}, .predicate = {"a"}, .place = "f:1"}};
  TruncationReport report;
  const auto examples = tagging_examples(sentences, TagSet({"O", "B-X"}), *load_tokenizer(folder.path()), 128, report);
  CHECK(examples[0].example.source == Ids{257, 256, ' ', 'b', 256, 259, 259, 256, 259});
  CHECK(examples[0].example.tags == Ids{kNoTag, 0, 1, kNoTag, 0, kNoTag, kNoTag, kNoTag, kNoTag});
}

TEST_CASE("tagging_examples: words behind the limit are cut, counted and have no tag") {
  const TemporaryFile file("n.conll", "cats B-X\nin O\nrome B-Y\n");
  const auto sentences = tagged_words(ConllFile::read(file.path()), 0, 1);
  TruncationReport report;
  const auto examples = tagging_examples(sentences, tag_set(sentences), *testing::word_tokenizer(), 5, report);
  CHECK(examples[0].example.source == Ids{cls, cat, s, in, sep});
  CHECK(examples[0].words == Ids{0, 1});
  CHECK(report.source_tokens_cut == 1);
}

TEST_CASE("tagging_examples: a tag that training did not have is an error that names it") {
  const std::vector<TaggedWords> sentences = {{.words = {"cat"}, .tags = {"B-Z"}, .place = "f:7"}};
  TruncationReport report;
  CHECK_THROWS_WITH_AS((void)tagging_examples(sentences, TagSet({"O", "B-X"}), *testing::word_tokenizer(), 9, report),
                       "f:7: the sentence that begins here has the tag 'B-Z'; wanted one of O B-X", FileError);
  CHECK_THROWS_WITH_AS(TagSet({"O", "O"}), "tags: 'O' appears twice", ConfigError);
}

TEST_CASE("tagging_examples: semantic roles are a sentence for each predicate, which is read behind it") {
  const std::string blank = "\t_\t_\t_\t_\t_\t_\t_\t_";
  const TemporaryFile file("s.conllu", "# a comment\n1\tann" + blank + "\t_\tA0\tA0\n2\tsat" + blank + "\tsit.01\tV\t_\n3\tlives" + blank +
                                           "\tlive.01\t_\tV\n\n1\tcat" + blank + "\t_\t_\n");
  const auto sentences = semantic_roles(ConllFile::read(file.path(), {.conllu = true}));
  REQUIRE(sentences.size() == 2);
  CHECK(sentences[0].words == Names{"ann", "sat", "lives"});
  CHECK(sentences[0].predicate == Names{"sat"});
  CHECK(sentences[0].tags == Names{"B-A0", "O", "O"});
  CHECK(sentences[1].predicate == Names{"lives"});
  TruncationReport report;
  const auto examples = tagging_examples(sentences, tag_set(sentences), *testing::word_tokenizer(), 20, report);
  CHECK(examples[1].example.source == Ids{cls, ann, sat, lives, sep, lives, sep});
  CHECK(examples[1].example.types == Ids{0, 0, 0, 0, 0, 1, 1});
  CHECK(examples[1].example.tags == Ids{kNoTag, 1, 0, 0, kNoTag, kNoTag, kNoTag});

  const TemporaryFile lopsided("s.conllu", "1\tann" + blank + "\tsit.01\tV\tA0\n");
  CHECK_THROWS_WITH_AS((void)semantic_roles(ConllFile::read(lopsided.path(), {.conllu = true})),
                       (lopsided.name() + ":1: 1 predicates and 2 columns of arguments; wanted as many").c_str(), FileError);
}

TEST_CASE("tagging_examples: a sentence whose words leave no token has no example") {
  const std::vector<TaggedWords> sentences = {
      {.words = {"cat"}, .tags = {"B-X"}}, {.words = {"\xEF\xB8\x8F"}, .tags = {"O"}}, {}, {.words = {"in"}, .tags = {"O"}}};
  TruncationReport report;
  const auto examples = tagging_examples(sentences, TagSet({"O", "B-X"}), *testing::word_tokenizer(), 9, report);
  REQUIRE(examples.size() == 2);
  CHECK(examples[0].example.row == 0);
  CHECK(examples[1].example.row == 3);
}

TEST_CASE("tagging_examples: blanks round a tag are no part of it") {
  const TemporaryFile file("n.conll", "cat\t B-X\nin\tO \n");
  CHECK(tagged_words(ConllFile::read(file.path()), 0, -1)[0].tags == Names{"B-X", "O"});
}

}  // namespace tagging_examples_test
