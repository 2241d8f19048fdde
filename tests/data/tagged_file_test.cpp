#include "data/tagged_file.h"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "tests/support/temporary_file.h"

namespace tagged_file_test {

using namespace preamble;
using testing::TemporaryFile;

namespace {

using Names = std::vector<std::string>;

std::vector<TaggedWords> read(std::string_view name, std::string_view content, const TaggedFileOptions& options = {}) {
  return read_tagged_file(TemporaryFile(name, content).path(), options);
}

void check_refused(std::string_view name, std::string_view content, std::string_view problem) {
  CAPTURE(content);
  try {
    (void)read(name, content);
    FAIL_CHECK("accepted");
  } catch (const Error& error) {
    CHECK_MESSAGE(std::string_view(error.what()).find(problem) != std::string_view::npos, error.what());
  }
}

}  // namespace

TEST_CASE("tagged_file: JSON lines and lists hold tokens and tags, whatever the file is called") {
  const std::string one = R"({"id": "0", "tokens": ["the", "boat"], "pos_tags": [1, 2], "ner_tags": ["O", "B-X"]})";
  const std::string two = R"({"id": "1", "tokens": ["Oslo"], "pos_tags": [3], "ner_tags": ["B-LOC"]})";
  for (const char* name : {"t.json", "t.jsonl", "t.txt"}) {
    for (const std::string& content : {one + "\n" + two + "\n", "[" + one + ", " + two + "]"}) {
      const auto sentences = read(name, content);
      REQUIRE(sentences.size() == 2);
      CHECK(sentences[0].words == Names{"the", "boat"});
      CHECK(sentences[0].tags == Names{"O", "B-X"});
      CHECK(sentences[1].tags == Names{"B-LOC"});
    }
  }
  CHECK(read("t.jsonl", one, {.tag_field = "pos_tags"})[0].tags == Names{"1", "2"});
  CHECK(read("t.jsonl", R"({"words": ["a"], "tags": [4]})")[0].tags == Names{"4"});
}

TEST_CASE("tagged_file: numbers become names if these are given") {
  const TaggedFileOptions options{.names = {"O", "B-X"}};
  CHECK(read("t.jsonl", R"({"tokens": ["a", "b", "c"], "ner_tags": [0, 1, 0]})", options)[0].tags == Names{"O", "B-X", "O"});
  CHECK(read("t.conll", "a 1\nb O\n", options)[0].tags == Names{"B-X", "O"});
  const TemporaryFile beyond("t.jsonl", R"({"tokens": ["a"], "ner_tags": [2]})");
  CHECK_THROWS_WITH_AS((void)read_tagged_file(beyond.path(), options),
                       (beyond.name() + ":1: tag '2'; wanted a number below 2, or one of O B-X").c_str(), FileError);
}

TEST_CASE("tagged_file: JSON that lacks words or tags, or has them in other numbers, is refused") {
  check_refused("t.jsonl", R"({"text": "the boat"})", "no field 'tokens'; wanted a word and its tag in columns");
  check_refused("t.jsonl", R"({"tokens": ["a"]})", "no field 'ner_tags' or 'tags'");
  check_refused("t.jsonl", R"({"tokens": ["a", "b"], "tags": ["O"]})", ":1: 2 words and 1 tags; wanted as many");
  check_refused("t.jsonl", R"({"tokens": "a b", "tags": ["O"]})", ":1: field 'tokens' is no list");
  check_refused("t.jsonl", R"({"tokens": ["a"], "tags": [0.5]})", "list 'tags' holds number; wanted texts or whole numbers");
}

TEST_CASE("tagged_file: CSV with or without a header, in sentences apart by empty records or by a column") {
  CHECK(read("t.csv", "token,ner_tag\nthe,O\nheron,B-PER\n")[0].words == Names{"the", "heron"});
  CHECK(read("t.csv", "the,O\nheron,B-PER\n")[0].tags == Names{"O", "B-PER"});
  CHECK(read("t.csv", "the,O\n,\nheron,B-PER\n").size() == 2);
  const auto sentences = read("t.csv", "Sentence #,Word,POS,Tag\nSentence: 1,Wet,JJ,O\n,rain,NN,B-x\nSentence: 2,falls,VB,O\n");
  REQUIRE(sentences.size() == 2);
  CHECK(sentences[0].words == Names{"Wet", "rain"});
  CHECK(sentences[0].tags == Names{"O", "B-x"});
  check_refused("t.csv", "tokens,ner_tags\n\"['EU', 'rejects']\",\"[1, 0]\"\n", "a list of words in a column");
}

TEST_CASE("tagged_file: columns with a header, and columns that count the words") {
  CHECK(read("t.tsv", "word\tpos\tner\nthe\tDT\tO\n")[0].words == Names{"the"});
  const WarningCapture capture;
  const auto sentences = read("t.conll", "1 EU NNP B-ORG\n2 rejects VBZ O\n\n1 Peter NNP B-PER\n");
  CHECK(sentences[0].words == Names{"EU", "rejects"});
  CHECK(sentences[1].words == Names{"Peter"});
  REQUIRE(capture.messages().size() == 1);
  CHECK(capture.messages()[0].ends_with("the first column counts the words of each sentence; words are read from the second"));
}

TEST_CASE("tagged_file: with tags a file of one column is refused, without them it is words") {
  check_refused("t.conll", "the\nboat\n\na\n", ":1: one column, 'the'; wanted a word and its tag in columns, a token a line (CoNLL, CSV)");
  check_refused("t.conll", "fox\n", "one column");
  const auto sentences = read("t.conll", "the\nboat\n\na\n", {.with_tags = false});
  REQUIRE(sentences.size() == 2);
  CHECK(sentences[0].words == Names{"the", "boat"});
  CHECK(sentences[0].tags.empty());
}

TEST_CASE("tagged_file: without tags plain sentences are cut into words, and columns are still columns") {
  const TaggedFileOptions ask{.with_tags = false};
  const auto sentences = read("t.txt", "The boat (a ferry) left Oslo, didn't it?\n\nA fox.\n", ask);
  REQUIRE(sentences.size() == 2);
  CHECK(sentences[0].words == Names{"The", "boat", "(", "a", "ferry", ")", "left", "Oslo", ",", "didn't", "it", "?"});
  CHECK(sentences[1].words == Names{"A", "fox", "."});
  CHECK(read("t.txt", "the boat\nthe harbour\n", ask).size() == 2);
  CHECK(read("t.conll", "the O\nboat B-X\n", ask)[0].words == Names{"the", "boat"});
  CHECK(read("t.conll", "the DT\nboat NN\n\na DT\n", ask)[0].words == Names{"the", "boat"});
  const TagSet known({"DT", "NN"});
  CHECK(read("t.conll", "the DT\nboat NN\n", {.with_tags = false, .known = &known})[0].words == Names{"the", "boat"});
  CHECK(read("t.jsonl", R"({"text": "A fox."})", ask)[0].words == Names{"A", "fox", "."});
  CHECK(read("t.jsonl", R"({"tokens": ["A", "fox."]})", ask)[0].words == Names{"A", "fox."});
}

TEST_CASE("tagged_file: without tags columns under a comment are columns") {
  const auto sentences = read("t.conll", "# id 1 domain=en\nAna B-X\nsaw O\n\n# id 2 domain=en\nok O\n", {.with_tags = false});
  REQUIRE(sentences.size() == 2);
  CHECK(sentences[0].words == std::vector<std::string>{"Ana", "saw"});
}

TEST_CASE("tagged_file: a column that cannot be tags is an error that shows two of them") {
  const auto tags_of = [](std::string_view content) { return checked_tag_set(read("t.conll", content), "f").names(); };
  CHECK(tags_of("the O\nheron B-PER\n\nOslo B-LOC\n") == Names{"O", "B-LOC", "B-PER"});
  CHECK(tags_of("the DT\nboat NN\n\nthe DT\nfox NN\n") == Names{"DT", "NN"});
  CHECK_THROWS_WITH_AS(
      (void)tags_of("the boat left\n\na fox sleeps\n"),
      "f: 2 different tags, as 'left' and 'sleeps', for 2 different words: this is no column of tags; wanted a word and its tag in "
      "columns, a token a line (CoNLL, CSV), or JSON with 'tokens' and 'ner_tags'",
      FileError);
  CHECK_THROWS_AS((void)tags_of("the boat .\n\na fox .\n"), FileError);
  std::string long_file;
  for (int i = 0; i < 60; ++i) long_file += "w" + std::to_string(i) + " l" + std::to_string(i * 2 / 3) + "\n";
  CHECK_THROWS_AS((void)tags_of(long_file + "w1 l9\nw2 l9\n" + "x l1\n"), FileError);
  const WarningCapture capture;
  CHECK(tags_of("the O\nboat O\n") == Names{"O"});
  CHECK(capture.messages() == Names{"f: every word has the tag 'O'; there is nothing to learn"});
}

TEST_CASE("tagged_file: tells tags that mark entities") {
  for (const char* tag : {"O", "B-PER", "I-creative-work", "S_X", "LOC-E"}) CHECK(marks_entity(tag));
  for (const char* tag : {"", "B", "NN", "X-Y", "0", "B-"}) CHECK_FALSE(marks_entity(tag));
}

TEST_CASE("tagged_file: other formats are refused") { CHECK_THROWS_AS((void)read("t.conll", "a O\n", {.format = "e2e"}), ConfigError); }

}  // namespace tagged_file_test
