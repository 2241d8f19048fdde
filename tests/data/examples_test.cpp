#include "data/examples.h"

#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "data/jsonl.h"
#include "engine/core/error.h"

namespace examples_test {

using namespace preamble;

namespace {

using Ids = std::vector<std::int32_t>;

/// A token per byte.
Ids bytes(std::string_view text) {
  Ids ids;
  for (const char c : text) ids.push_back(c);
  return ids;
}

Table table(std::string_view content) {
  Table rows("t.jsonl");
  read_jsonl(rows, content);
  return rows;
}

}  // namespace

TEST_CASE("examples: labels become classes and their words targets") {
  const Table rows = table("{\"s\": \"x\", \"label\": 1}\n{\"s\": \"yz\", \"label\": 0}\n");
  TruncationReport report;
  const ExampleRules rules{
      .source = Template("S{s}"), .labels = LabelMap::parse("0=n,1=p"), .special = {.source_end = {1}, .target_end = {1}}, .slot = 3};
  const auto examples = make_examples(rows, rules, bytes, report);
  REQUIRE(examples.size() == 2);
  CHECK(examples[0].source == Ids{'S', 'x', 1});
  CHECK(examples[0].target == Ids{'p', 1});
  CHECK(examples[0].label == 1);
  CHECK(examples[1].source == Ids{'S', 'y', 'z', 1});
  CHECK(examples[1].target == Ids{'n', 1});
  CHECK(examples[1].label == 0);
  CHECK(examples[1].row == 1);
  CHECK(examples[1].slot == 3);
}

TEST_CASE("examples: a target template makes text targets, and without either there is none") {
  const Table rows = table("{\"mr\": \"m\", \"ref\": \"rr\"}\n");
  TruncationReport report;
  ExampleRules rules{.source = Template("{mr}"), .target = Template(" {ref}"), .special = {.target_begin = {2}, .target_end = {1}}};
  CHECK(make_examples(rows, rules, bytes, report)[0].target == Ids{2, ' ', 'r', 'r', 1});
  CHECK(make_examples(rows, rules, bytes, report)[0].label == -1);
  rules.target.reset();
  CHECK(make_examples(rows, rules, bytes, report)[0].target.empty());
}

TEST_CASE("examples: special tokens count in the limits and are never cut") {
  const Table rows = table("{\"s\": \"abcdef\", \"t\": \"uvwxyz\"}\n");
  TruncationReport report;
  const ExampleRules rules{.source = Template("{s}"),
                           .target = Template("{t}"),
                           .special = {.source_begin = {8}, .source_end = {9, 9}, .target_end = {1}},
                           .max_source_length = 5,
                           .max_target_length = 4};
  const auto examples = make_examples(rows, rules, bytes, report);
  CHECK(examples[0].source == Ids{8, 'a', 'b', 9, 9});
  CHECK(examples[0].target == Ids{'u', 'v', 'w', 1});
  CHECK(report.sources_cut == 1);
  CHECK(report.source_tokens_cut == 4);
  CHECK(report.targets_cut == 1);
  CHECK(report.target_tokens_cut == 3);
}

TEST_CASE("examples: a label outside of the vocabulary is an error with file and line") {
  const Table rows = table("{\"s\": \"x\", \"label\": 1}\n{\"s\": \"y\", \"label\": -1}\n");
  TruncationReport report;
  const ExampleRules rules{.source = Template("{s}"), .labels = LabelMap::parse("0=n,1=p")};
  CHECK_THROWS_WITH_AS((void)make_examples(rows, rules, bytes, report), "t.jsonl:2: label '-1' in 'label'; wanted one of: 0, 1", FileError);
}

TEST_CASE("examples: rejects rules that contradict each other or leave no room") {
  const Table rows = table("{\"s\": \"x\"}\n");
  TruncationReport report;
  ExampleRules rules{.source = Template("{s}"), .target = Template("{s}"), .labels = LabelMap::parse("0=n")};
  CHECK_THROWS_WITH_AS((void)make_examples(rows, rules, bytes, report), "examples: both a target template and labels; wanted one of them",
                       ConfigError);
  rules.target.reset();
  CHECK_THROWS_WITH_AS((void)make_examples(rows, rules, bytes, report), "t.jsonl: no column 'label'; the columns are: s", ConfigError);
  rules.labels.reset();
  rules.special.source_end = {1};
  rules.max_source_length = 1;
  CHECK_THROWS_WITH_AS((void)make_examples(rows, rules, bytes, report),
                       "source length limit of 1 tokens; wanted more than the 1 special ones", ConfigError);
}

TEST_CASE("examples: rejects a source without tokens") {
  const Table rows = table("{\"s\": \"x\"}\n{\"s\": \"\"}\n");
  TruncationReport report;
  CHECK_THROWS_WITH_AS((void)make_examples(rows, {.source = Template("{s}")}, bytes, report),
                       "t.jsonl:2: a source without tokens; wanted at least one", FileError);
}

}  // namespace examples_test
