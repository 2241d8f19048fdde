#include "data/conll.h"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_file.h"

namespace conll_test {

using namespace preamble;
using namespace std::string_view_literals;
using testing::TemporaryFile;

namespace {

using Strings = std::vector<std::string>;

ConllFile read(std::string_view content, const ConllOptions& options = {}) {
  return ConllFile::read(TemporaryFile("t.conll", content).path(), options);
}

void check_rejected(std::string_view content, std::string_view message) {
  const TemporaryFile file("t.conll", content);
  CHECK_THROWS_WITH_AS((void)ConllFile::read(file.path()), (file.name() + std::string(message)).c_str(), FileError);
}

}  // namespace

TEST_CASE("conll: reads columns apart from spaces") {
  const ConllFile file = read("Wet NN B-NP\nrain  NN  I-NP\n\n\nfalls VB O\n");
  REQUIRE(file.sentences().size() == 2);
  CHECK(file.column(0, 0) == Strings{"Wet", "rain"});
  CHECK(file.column(0, -1) == Strings{"B-NP", "I-NP"});
  CHECK(file.column(1, 1) == Strings{"VB"});
  CHECK(file.sentences()[0].tokens() == 2);
  CHECK(file.sentences()[1].line == 5);
}

TEST_CASE("conll: columns apart from tabs may hold spaces, be empty, and begin with #") {
  const ConllFile file = read("#wet day\tO\n \tO\n\tB-x\n");
  CHECK(file.column(0, 0) == Strings{"#wet day", " ", ""});
}

TEST_CASE("conll: lines of white space or with only a byte-order mark are no tokens") {
  const ConllFile file = read(
      "\xEF\xBB\xBF"
      "a\tO\r\n\t\r\nb\tO\n  \n\xEF\xBB\xBF\nc\tO");
  REQUIRE(file.sentences().size() == 3);
  CHECK(file.column(0, 0) == Strings{"a"});
  CHECK(file.column(0, 1) == Strings{"O"});
  CHECK(file.column(2, 0) == Strings{"c"});
}

TEST_CASE("conll: document starts are left out unless wanted") {
  const std::string_view text = "-DOCSTART- -X- O\n\na NN O\n\n-DOCSTART- -X- O\n\nb NN O\n";
  CHECK(read(text).sentences().size() == 2);
  CHECK(read(text, {.skip_document_starts = false}).sentences().size() == 4);
}

TEST_CASE("conll: CoNLL-U comments, ranges and empty nodes are left out") {
  const ConllFile file = read("# text = don't\n1-2\tdon't\t_\n1\tdo\tx\n2\tn't\ty\n2.1\tnull\tz\n\n# only a comment\n", {.conllu = true});
  REQUIRE(file.sentences().size() == 1);
  CHECK(file.column(0, 1) == Strings{"do", "n't"});
  CHECK(file.sentences()[0].line == 3);
}

TEST_CASE("conll: a comment in front of a sentence is none of its words, and a word # is") {
  const ConllFile file = read("# id 5239d808 domain=en\n# _ _ O\na _ _ B-X\n# id x O\n\n# sent_id = 2\nb _ _ O\n\n# NN B-NP O\n");
  REQUIRE(file.sentences().size() == 3);
  CHECK(file.column(0, 0) == Strings{"#", "a", "#"});
  CHECK(file.column(1, 0) == Strings{"b"});
  CHECK(file.column(2, 0) == Strings{"#"});
}

TEST_CASE("conll: sentences may have different numbers of columns") {
  const ConllFile file = read("a\tx\n\nb\tx\ty\n");
  CHECK(file.column(1, 2) == Strings{"y"});
  CHECK_THROWS_AS((void)file.column(0, 2), ConfigError);
  CHECK_THROWS_AS((void)file.column(0, -3), ConfigError);
}

TEST_CASE("conll: lists labels, O first") {
  CHECK(read("a B-PER\nb O\n\nc I-LOC\nd B-LOC\ne B-creative-work\n").labels(-1) ==
        Strings{"O", "B-LOC", "B-PER", "B-creative-work", "I-LOC"});
  CHECK(read("a NN\nb DT\n").labels(1) == Strings{"DT", "NN"});
}

TEST_CASE("conll: tells labels that are no BIO labels") {
  CHECK_NOTHROW(read("a B-x\nb I-y\nc O\n").require_bio(1));
  const TemporaryFile file("t.conll", "a O\n\nb NN\n");
  CHECK_THROWS_WITH_AS(ConllFile::read(file.path()).require_bio(-1),
                       (file.name() + ":3: label 'NN' in the sentence that begins here; wanted O, B-type or I-type").c_str(), FileError);
  for (const char* bad : {"a B-\n", "a B\n", "a E-x\n", "a o\n"}) CHECK_THROWS_AS(read(bad).require_bio(-1), FileError);
}

TEST_CASE("conll: rejects ragged sentences, bad bytes and files without tokens") {
  check_rejected("a x\nb\n", ":2: 1 column; wanted 2 as in line 1: a word and its tag in columns, a token a line (CoNLL)");
  check_rejected("ok O\n\na x y\nb x y z\n", ":4: 4 columns; wanted 3 as in line 3: a word and its tag in columns, a token a line (CoNLL)");
  check_rejected("a\tO\nb\t\0\n"sv, ":2: a NUL byte; wanted UTF-8 text");
  check_rejected("a\tO\ncaf\xE9\tO\n",
                 ":2: byte 0xE9 is not UTF-8; wanted UTF-8 text (convert it, as with iconv -f WINDOWS-1252 -t UTF-8)");
  check_rejected("", ": no tokens; wanted at least one sentence");
  check_rejected("\n \n\n", ": no tokens; wanted at least one sentence");
}

TEST_CASE("conll: a document start ends a sentence, with or without a blank line") {
  const ConllFile file = read("-DOCSTART- -DOCSTART- O\nthe Art O\nboat N B-ORG\n-DOCSTART- -DOCSTART- O\nin Prep O\n");
  REQUIRE(file.sentences().size() == 2);
  CHECK(file.column(0, 0) == Strings{"the", "boat"});
  CHECK(file.column(1, 0) == Strings{"in"});
}

TEST_CASE("conll: fields apart from commas may be quoted, and a record of empty fields ends a sentence") {
  const ConllFile file = read("\"1,000\",B-N\n\"\"\"\",O\n,\nb,O\n", {.csv = true});
  REQUIRE(file.sentences().size() == 2);
  CHECK(file.column(0, 0) == Strings{"1,000", "\""});
  CHECK(file.column(1, -1) == Strings{"O"});
}

TEST_CASE("conll: a header names the columns if it is asked for and names words and tags") {
  const ConllOptions options{.csv = true, .header = true};
  const ConllFile file = read("Sentence #,Word,POS,Tag\nSentence: 1,Wet,JJ,O\n,rain,NN,B-x\nSentence: 2,falls,VB,O\n", options);
  CHECK(file.header() == Strings{"Sentence #", "Word", "POS", "Tag"});
  REQUIRE(file.sentences().size() == 2);
  CHECK(file.column(0, 1) == Strings{"Wet", "rain"});
  const ConllHeader header = ConllHeader::of(file.header());
  CHECK(header.sentence == 0);
  CHECK(header.word == 1);
  CHECK(header.tag == 3);
  CHECK(read("the,O\nWord,O\n", options).column(0, 0) == Strings{"the", "Word"});
  CHECK(read("token,tag\nthe,O\n", {.csv = true}).column(0, 0) == Strings{"token", "the"});
}

}  // namespace conll_test
