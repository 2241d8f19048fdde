#include "data/superglue.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_file.h"

namespace superglue_test {

using namespace preamble;
using testing::TemporaryFile;

namespace {

/// Columns text, pair, label and group of a row, with bars between; a missing label is `?`.
std::string shown(const Table& table, std::int64_t row) {
  const Cell* label = table.find(row, table.column("label"));
  return table.text(row, table.column("text")) + "|" + table.text(row, table.column("pair")) + "|" +
         (label != nullptr ? label->value : "?") + "|" + table.text(row, table.column("group"));
}

Table read(std::string_view task, std::string_view content) {
  return superglue_table(superglue_task(task), TemporaryFile("x.jsonl", content).path());
}

}  // namespace

TEST_CASE("superglue: pairs of questions, premises and nouns") {
  CHECK(shown(read("boolq", R"({"question": "q", "passage": "p", "label": true})"), 0) == "q|p|true|0");
  CHECK(shown(read("cb", R"({"premise": "p", "hypothesis": "h", "label": "neutral"})"), 0) == "p|h|neutral|0");
  CHECK(shown(read("rte", R"({"premise": "p", "hypothesis": "h"})"), 0) == "p|h|?|0");
  CHECK(shown(read("wsc", R"({"text": "t", "target": {"span1_text": "noun", "span2_text": "it"}, "label": false})"), 0) ==
        "it: t|noun|false|0");
  const Table wic = read("wic", R"({"word": "w", "sentence1": "a.", "sentence2": "b.", "label": true})");
  CHECK(shown(wic, 0) == "a. b. Does w have the same meaning in both sentences?||true|0");
  CHECK_FALSE(superglue_task("wic").pairs);
}

TEST_CASE("superglue: the choices of a question are columns of one row, the right one's number its label") {
  const auto choices = [](std::string_view task, std::string_view content) {
    return superglue_choices(superglue_task(task), TemporaryFile("x.jsonl", content).path());
  };
  const Table table = choices("copa", R"({"premise": "p.", "choice1": "a", "choice2": "b", "question": "cause", "label": 1})"
                                      "\n"
                                      R"({"premise": "p.", "choice1": "a", "choice2": "b", "question": "effect"})");
  REQUIRE(table.rows() == 2);
  CHECK(table.text(0, table.column("text")) == "p. because");
  CHECK(table.text(0, table.column("choice2")) == "b");
  CHECK(table.text(0, table.column("label")) == "1");
  CHECK(table.find(1, table.column("label")) == nullptr);
  CHECK_THROWS_AS((void)choices("copa", R"({"premise": "p.", "choice1": "a", "choice2": "b", "question": "cause", "label": 2})"),
                  FileError);
  CHECK_THROWS_AS((void)choices("copa", R"({"premise": "p.", "choice1": "a", "question": "cause", "label": 0})"), FileError);
  CHECK_THROWS_AS((void)choices("rte", R"({"premise": "p", "hypothesis": "h"})"), ConfigError);
}

TEST_CASE("superglue: choices and answers are rows of one group") {
  const Table copa = read("copa", R"({"premise": "p.", "choice1": "a", "choice2": "b", "question": "cause", "label": 1})"
                                  "\n"
                                  R"({"premise": "p.", "choice1": "a", "choice2": "b", "question": "effect", "label": 0})");
  REQUIRE(copa.rows() == 4);
  CHECK(shown(copa, 0) == "p. because|a|0|0");
  CHECK(shown(copa, 1) == "p. because|b|1|0");
  CHECK(shown(copa, 2) == "p. so|a|1|1");
  const Table multirc = read("multirc", R"({"passage": {"text": "t", "questions": [)"
                                        R"({"question": "q?", "answers": [{"text": "x", "label": 0}, {"text": "y", "label": 1}]},)"
                                        R"({"question": "r?", "answers": [{"text": "z", "label": 1}]}]}})");
  REQUIRE(multirc.rows() == 3);
  CHECK(shown(multirc, 1) == "t|q? y|1|0");
  CHECK(shown(multirc, 2) == "t|r? z|1|1");
}

TEST_CASE("superglue: ReCoRD puts each entity, once, where the placeholder stands") {
  const Table record = read("record",
                            "{\"passage\": {\"text\": \"\xC3\x89mile saw Ann.\\n@highlight\\nAnn left\", \"entities\": ["
                            R"({"start": 0, "end": 4}, {"start": 10, "end": 12}, {"start": 26, "end": 28}]},)"
                            R"("qas": [{"query": "@placeholder saw", "answers": [{"text": "Ann"}]}]})");
  REQUIRE(record.rows() == 2);
  CHECK(shown(record, 0) == "\xC3\x89mile saw Ann.\n- Ann left|Ann saw|1|0");
  CHECK(shown(record, 1) == "\xC3\x89mile saw Ann.\n- Ann left|\xC3\x89mile saw|0|0");
}

TEST_CASE("superglue: one clear error for what is missing") {
  const TemporaryFile file("x.jsonl", "\n{\"premise\": \"p\", \"choice1\": \"a\", \"choice2\": \"b\", \"question\": \"why\"}");
  CHECK_THROWS_WITH_AS((void)superglue_table(superglue_task("copa"), file.path()),
                       (file.name() + ":2: field 'question' is \"why\"; wanted cause or effect").c_str(), FileError);
  CHECK_THROWS_WITH_AS((void)superglue_task("glue"),
                       "SuperGLUE task 'glue': unknown; wanted one of boolq cb copa multirc record rte wic wsc", ConfigError);
  CHECK_THROWS_AS((void)read("record", R"({"passage": {"text": "ab", "entities": [{"start": 1, "end": 2}]}, "qas": []})"), FileError);
  CHECK_THROWS_AS((void)read("boolq", "\n"), FileError);
}

}  // namespace superglue_test
