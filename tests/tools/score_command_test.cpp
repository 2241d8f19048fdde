#include "tools/score_command.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_folder.h"

namespace score_command_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Texts = std::vector<std::string>;

ScoreArguments arguments(const std::filesystem::path& predictions, const std::filesystem::path& references) {
  ScoreArguments args;
  args.options.hypotheses = predictions;
  args.options.references = {references};
  return args;
}

}  // namespace

TEST_CASE("score command: rows with the same input are the references of one prediction") {
  const TemporaryFolder folder;
  const auto predictions = folder.write("p.txt", "the oak\nthe elm\n");
  const auto references = folder.write("r.csv", "mr,ref\nname[Oak],an oak\nname[Elm],an elm\nname[Oak],the old oak\n");
  ScoreArguments args = arguments(predictions, references);
  args.format = "e2e";
  const auto corpus = corpus_of(args);
  REQUIRE(corpus.size() == 2);
  CHECK(corpus[0].hypothesis == "the oak");
  CHECK(corpus[0].references == Texts{"an oak", "the old oak"});
  CHECK(corpus[1].references == Texts{"an elm"});
}

TEST_CASE("score command: predictions in JSONL, several columns of references") {
  const TemporaryFolder folder;
  const auto predictions = folder.write("p.jsonl", "{\"row\":0,\"prediction\":\"a\"}\n{\"row\":1,\"prediction\":\"b\"}\n");
  const auto references = folder.write("r.jsonl", "{\"s1\":\"x\",\"s2\":\"y\"}\n{\"s1\":\"z\"}\n");
  ScoreArguments args = arguments(predictions, references);
  args.reference_fields = {"s1", "s2"};
  const auto corpus = corpus_of(args);
  CHECK(corpus.at(0).references == Texts{"x", "y"});
  CHECK(corpus.at(1).references == Texts{"z"});
  CHECK(corpus.at(1).hypothesis == "b");
  const auto lines = folder.write("r.txt", "x\ny\n\nz\n");
  CHECK(corpus_of(arguments(predictions, lines)).at(0).references == Texts{"x", "y"});
}

TEST_CASE("score command: numbers that disagree, columns where there are none") {
  const TemporaryFolder folder;
  const auto predictions = folder.write("p.txt", "a\n");
  const auto references = folder.write("r.csv", "mr,ref\nname[Oak],x\nname[Elm],y\n");
  ScoreArguments args = arguments(predictions, references);
  args.format = "e2e";
  CHECK_THROWS_WITH_AS((void)corpus_of(args),
                       (predictions.string() + ": 1 predictions, but references for 2 in " + references.string() + "; wanted as many").c_str(),
                       FileError);
  args.format.clear();
  args.by = "seen";
  CHECK_THROWS_WITH_AS((void)score_command(args), "--by seen: plain references have no columns; wanted a data set", ConfigError);
}

}  // namespace score_command_test
