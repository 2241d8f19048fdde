#include "data/choice_examples.h"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "data/batching.h"
#include "data/jsonl.h"
#include "engine/core/error.h"
#include "tests/support/word_tokenizer.h"

namespace choice_examples_test {

using namespace preamble;
using namespace preamble::testing::word;

namespace {

using Ids = std::vector<std::int32_t>;

ChoiceRules rules() {
  return {.text = Template("{p}"), .choices = {Template("{a}"), Template("{b}"), Template("{c}")}, .label_column = "label"};
}

std::vector<Example> made(std::string_view content, const ChoiceRules& rules) {
  Table rows("t.jsonl");
  // a first row that names all columns
  read_jsonl(rows, "{\"p\": \"who\", \"a\": \"ann\", \"b\": \"mat\", \"c\": \"cat\", \"label\": 2}\n");
  read_jsonl(rows, content);
  TruncationReport report;
  return choice_examples(rows, rules, *testing::word_tokenizer(), report);
}

}  // namespace

TEST_CASE("choice_examples: the sequences of the choices stand one behind the other, each a pair") {
  const auto examples = made(R"({"p": "who ?", "a": "the cat", "b": "ann", "label": 1})", rules());
  REQUIRE(examples.size() == 2);
  CHECK(examples[0].choices == Ids{5, 5, 5});
  CHECK(examples[0].label == 2);
  CHECK(examples[1].source == Ids{cls, who, question, sep, the, cat, sep, cls, who, question, sep, ann, sep});
  CHECK(examples[1].types == Ids{0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1});
  CHECK(examples[1].choices == Ids{7, 6});
  CHECK(examples[1].sequences() == 2);
  CHECK(examples[1].label == 1);
  CHECK(lengths_of(examples)[1].sequences == 2);
  CHECK(lengths_of(examples)[1].source == 13);
}

TEST_CASE("choice_examples: labels may be names, and may be missing where none are wanted") {
  ChoiceRules named = rules();
  named.labels = LabelMap::parse("2,A,B");
  CHECK(made(R"({"p": "who", "a": "ann", "b": "mat", "label": "A"})", named)[1].label == 1);
  ChoiceRules unlabelled = rules();
  unlabelled.label_column.reset();
  CHECK(made(R"({"p": "who", "a": "ann", "b": "mat"})", unlabelled)[1].label == -1);
}

TEST_CASE("choice_examples: the length limit holds for each choice") {
  ChoiceRules cut = rules();
  cut.max_length = 6;
  CHECK(made(R"({"p": "who ?", "a": "the cat sat on", "b": "ann", "label": 0})", cut)[1].choices == Ids{6, 6});
}

TEST_CASE("choice_examples: choices that are missing, and labels of none, are named with their line") {
  const auto row = [](const char* content) { (void)made(content, rules()); };
  CHECK_THROWS_WITH_AS(row(R"({"p": "who", "a": "ann", "label": 0})"), "t.jsonl:1: 1 choice(s); wanted two at least", FileError);
  CHECK_THROWS_WITH_AS(row(R"({"p": "who", "a": "", "b": null, "label": 0})"), "t.jsonl:1: 0 choice(s); wanted two at least", FileError);
  CHECK_THROWS_WITH_AS(row(R"({"p": "who", "a": "ann", "c": "mat", "label": 0})"),
                       "t.jsonl:1: choice 2 is empty, and one behind it is not; wanted no gap", FileError);
  for (const auto* label : {"2", "-1", "1.0", "\"x\"", "99999999999"}) {
    CAPTURE(label);
    CHECK_THROWS_AS(row((std::string(R"({"p": "who", "a": "ann", "b": "mat", "label": )") + label + "}").c_str()), FileError);
  }
  CHECK_THROWS_WITH_AS(row(R"({"p": "who", "a": "ann", "b": "mat", "label": 2})"),
                       "t.jsonl:1: label '2'; the row has 2 choices, and the first is 0", FileError);
  CHECK_THROWS_AS(row(R"({"p": "who", "a": "ann", "b": "mat"})"), FileError);
  ChoiceRules one = rules();
  one.choices.resize(1, Template(""));
  CHECK_THROWS_AS((void)made("", one), ConfigError);
  ChoiceRules unknown = rules();
  unknown.choices.emplace_back("{z}");
  CHECK_THROWS_AS((void)made("", unknown), ConfigError);
}

}  // namespace choice_examples_test
