#include "data/metrics/corpus.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_folder.h"

namespace corpus_test {

using namespace preamble;
using namespace preamble::metrics;
using preamble::testing::TemporaryFolder;

namespace {

using References = std::vector<std::string>;

}  // namespace

TEST_CASE("corpus: several files are aligned line by line, empty lines too") {
  const TemporaryFolder folder;
  const Corpus corpus = read_corpus(folder.write("h", "one\n\nthree"), {folder.write("r0", "1\n2\r\n3\n"), folder.write("r1", "a\n\nc\n")});
  REQUIRE(corpus.size() == 3);
  CHECK(corpus[1].hypothesis.empty());
  CHECK(corpus[0].references == References{"1", "a"});
  CHECK(corpus[1].references == References{"2", ""});
}

TEST_CASE("corpus: one file is aligned if it has as many lines, else in groups") {
  const TemporaryFolder folder;
  const auto hypotheses = folder.write("h", "one\ntwo\n");
  CHECK(read_corpus(hypotheses, {folder.write("lines", "1\n2\n")})[1].references == References{"2"});
  const auto groups = folder.write("groups", "\n1\n1b\n\n \n2\n");
  CHECK(read_corpus(hypotheses, {groups})[0].references == References{"1", "1b"});
  CHECK(read_corpus(hypotheses, {groups})[1].references == References{"2"});
  const auto three = folder.write("h3", "one\ntwo\nthree\n");
  const auto ambiguous = folder.write("ambiguous", "1\n\n2\n");
  CHECK(read_corpus(three, {ambiguous})[1].references == References{""});
  CHECK(read_corpus(hypotheses, {ambiguous}, ReferenceLayout::groups)[1].references == References{"2"});
}

TEST_CASE("corpus: tables are grouped by meaning representation in the order of the outputs") {
  const TemporaryFolder folder;
  const auto references = folder.write("r.csv", "mr,ref\nx,x1\ny,y1\nx,x2\n");
  const Corpus corpus = read_corpus(folder.write("h.tsv", "mr\toutput\ny\tfor y\nx\tfor x\n"), {references});
  CHECK(corpus[0].hypothesis == "for y");
  CHECK(corpus[0].references == References{"y1"});
  CHECK(corpus[1].references == References{"x1", "x2"});
}

TEST_CASE("corpus: for plain outputs a table is grouped by consecutive rows") {
  const TemporaryFolder folder;
  const auto references = folder.write("r.csv", "mr,ref\nx,x1\nx,x2\ny,y1\nx,x3\n");
  const Corpus corpus = read_corpus(folder.write("h", "a\nb\nc\n"), {references});
  CHECK(corpus[0].references == References{"x1", "x2"});
  CHECK(corpus[2].references == References{"x3"});
}

TEST_CASE("corpus: numbers that disagree are refused with both") {
  const TemporaryFolder folder;
  const auto h = folder.write("h", "one\ntwo\n");
  const auto short_file = folder.write("r0", "1\n");
  const auto rows = folder.write("r.csv", "mr,ref\nx,x1\n");
  const auto table = folder.write("h.tsv", "mr\toutput\ny\tfor y\n");
  CHECK_THROWS_WITH_AS(static_cast<void>(read_corpus(h, {short_file, short_file})),
                       (short_file.string() + ": 1 lines; wanted one for each of the 2 hypotheses of " + h.string()).c_str(), FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(read_corpus(h, {short_file})),
                       (h.string() + ": 2 hypotheses, but references for 1 in " + short_file.string() + "; wanted as many").c_str(),
                       FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(read_corpus(table, {rows})),
                       (table.string() + ": no reference in " + rows.string() + " for 'y'").c_str(), FileError);
}

TEST_CASE("corpus: no references, or a table among several files, is refused") {
  CHECK_THROWS_WITH_AS(static_cast<void>(read_corpus("h", {})), "h: no file of references; wanted one or more", ConfigError);
  CHECK_THROWS_WITH_AS(static_cast<void>(read_corpus("h", {"a.csv", "b"})),
                       "a.csv, b: 2 files; wanted a TSV or CSV file of references alone", ConfigError);
  CHECK_THROWS_AS(static_cast<void>(read_corpus("/nonexistent/h", {"/nonexistent/r"})), FileError);
}

TEST_CASE("corpus: empty references are missing ones, unless an item has no others") {
  const Corpus corpus = without_empty_references({{"a", {"1", "", " ", "2"}}, {"b", {"", ""}}, {"c", {""}}});
  CHECK(corpus[0].references == References{"1", "2"});
  CHECK(corpus[1].references == References{""});
  CHECK(corpus[2].references == References{""});
}

}  // namespace corpus_test
