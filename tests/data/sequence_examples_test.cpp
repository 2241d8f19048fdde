#include "data/sequence_examples.h"

#include <string_view>

#include <doctest/doctest.h>

#include "data/jsonl.h"
#include "engine/core/error.h"
#include "tests/support/word_tokenizer.h"

namespace sequence_examples_test {

using namespace preamble;
using namespace preamble::testing::word;

namespace {

using Ids = std::vector<std::int32_t>;

Table table(std::string_view content) {
  Table rows("t.jsonl");
  read_jsonl(rows, content);
  return rows;
}

}  // namespace

TEST_CASE("sequence_examples: a text stands between the special tokens and has the class of its row") {
  const auto tokenizer = testing::word_tokenizer();
  TruncationReport report;
  const SequenceRules rules{.text = Template("{s} ."), .labels = LabelMap::parse("neg,pos"), .slot = 2, .head = 1};
  const auto examples = sequence_examples(table("{\"s\": \"the cats\", \"label\": \"pos\"}"), rules, *tokenizer, report);
  REQUIRE(examples.size() == 1);
  CHECK(examples[0].source == Ids{cls, the, cat, s, dot, sep});
  CHECK(examples[0].types.empty());
  CHECK(examples[0].label == 1);
  CHECK(examples[0].slot == 2);
  CHECK(examples[0].head == 1);
  CHECK(report.sources_cut == 0);
}

TEST_CASE("sequence_examples: the second text of a pair is segment 1, and the longer text is cut") {
  const auto tokenizer = testing::word_tokenizer();
  const Table rows = table("{\"a\": \"who ?\", \"b\": \"the cat sat\"}");
  TruncationReport report;
  SequenceRules rules{.text = Template("{a}"), .pair = Template("{b}")};
  const auto whole = sequence_examples(rows, rules, *tokenizer, report);
  CHECK(whole[0].source == Ids{cls, who, question, sep, the, cat, sat, sep});
  CHECK(whole[0].types == Ids{0, 0, 0, 0, 1, 1, 1, 1});
  CHECK(whole[0].label == -1);
  rules.max_length = 7;
  CHECK(sequence_examples(rows, rules, *tokenizer, report)[0].source == Ids{cls, who, question, sep, the, cat, sep});
  CHECK(report.sources_cut == 1);
  CHECK(report.source_tokens_cut == 1);
  rules.max_length = 3;
  CHECK_THROWS_WITH_AS((void)sequence_examples(rows, rules, *tokenizer, report),
                       "length limit of 3 tokens; wanted more than the 3 special ones", ConfigError);
}

TEST_CASE("sequence_examples: a single text is cut in its fields, not in the template's words") {
  const auto tokenizer = testing::word_tokenizer();
  TruncationReport report;
  const SequenceRules rules{.text = Template("{s} in rome"), .max_length = 5};
  const auto examples = sequence_examples(table("{\"s\": \"the cat sat\"}"), rules, *tokenizer, report);
  CHECK(examples[0].source == Ids{cls, the, in, rome, sep});
  CHECK(report.source_tokens_cut == 2);
}

TEST_CASE("sequence_examples: regression wants a number") {
  const auto tokenizer = testing::word_tokenizer();
  TruncationReport report;
  const SequenceRules rules{.text = Template("{s}"), .regression = true};
  CHECK(sequence_examples(table("{\"s\": \"cat\", \"label\": 2.5}"), rules, *tokenizer, report)[0].value == 2.5);
  CHECK_THROWS_WITH_AS((void)sequence_examples(table("{\"s\": \"cat\", \"label\": \"2.5x\"}"), rules, *tokenizer, report),
                       "t.jsonl:1: '2.5x' is no number; wanted one to predict", FileError);
}

TEST_CASE("verbalizer: the mask is to become the word of the class") {
  const auto tokenizer = testing::word_tokenizer();
  const Verbalizer verbalizer({"bad", "good"}, *tokenizer);
  CHECK(verbalizer.ids() == Ids{bad, good});
  const Table rows = table("{\"s\": \"cat sat\", \"label\": \"1\"}");
  TruncationReport report;
  SequenceRules rules{.text = Template("{s} in [MASK] ."), .labels = LabelMap::parse("0,1")};
  auto examples = sequence_examples(rows, rules, *tokenizer, report);
  verbalizer.label(examples, rows);
  CHECK(examples[0].source == Ids{cls, cat, sat, in, mask, dot, sep});
  CHECK(examples[0].tags == Ids{kNoTag, kNoTag, kNoTag, kNoTag, good, kNoTag, kNoTag});

  rules.text = Template("{s}");
  auto unmasked = sequence_examples(rows, rules, *tokenizer, report);
  CHECK_THROWS_WITH_AS(verbalizer.label(unmasked, rows), "t.jsonl:1: 0 mask tokens; wanted one, from the template", FileError);
}

TEST_CASE("verbalizer: refuses words that are not one token of their own") {
  const auto tokenizer = testing::word_tokenizer();
  CHECK_THROWS_WITH_AS(Verbalizer({"cats"}, *tokenizer), "verbalizer: 'cats' is 2 tokens; wanted a word of one token", ConfigError);
  CHECK_THROWS_WITH_AS(Verbalizer({"dog"}, *tokenizer), "verbalizer: 'dog' is not in the vocabulary", ConfigError);
  CHECK_THROWS_WITH_AS(Verbalizer({"bad", "Bad"}, *tokenizer), "verbalizer: 'Bad' is the token of another class too", ConfigError);
}

}  // namespace sequence_examples_test
