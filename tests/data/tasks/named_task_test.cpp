#include "data/tasks/named_task.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "data/labels.h"
#include "data/tasks/readers.h"
#include "data/template.h"
#include "engine/core/error.h"
#include "tests/support/packed.h"
#include "tests/support/temporary_file.h"
#include "tests/support/temporary_folder.h"

namespace named_task_test {

using namespace preamble;
using testing::TemporaryFile;

namespace {

/// `input -> target` of each row, as T5's preprocessor writes them but for the tag.
std::vector<std::string> cast(std::string_view name, std::string_view file, std::string_view content, TaskUse use = TaskUse::training) {
  const NamedTask task = named_task(name);
  const Table table = load_named_task(task, TemporaryFile(file, content).path(), use);
  const BoundTemplate input(Template(task.input), table);
  std::vector<std::string> rows;
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    std::string target = "?";
    if (!task.labels.empty()) {
      const LabelMap map = LabelMap::parse(task.labels);
      const auto& columns = table.columns();
      if (std::find(columns.begin(), columns.end(), "label") != columns.end())
        target = map.words()[static_cast<std::size_t>(map.class_of(table, row, table.column("label")))];
    } else {
      target = BoundTemplate(Template(task.target), table).render(row);
    }
    rows.push_back(input.render(row) + " -> " + target);
  }
  return rows;
}

std::string one(std::string_view name, std::string_view file, std::string_view content, TaskUse use = TaskUse::training) {
  const auto rows = cast(name, file, content, use);
  REQUIRE(rows.size() == 1);
  return rows.front();
}

}  // namespace

TEST_CASE("named_task: BoolQ, CB, COPA, RTE and WiC read as T5 casts them") {
  CHECK(one("superglue/boolq", "x.jsonl", R"({"question": "is it so", "passage": "It -- (so) is.", "idx": 3, "label": true})") ==
        "passage: It -- (so) is. question: is it so -> True");
  CHECK(one("superglue/boolq", "x.jsonl", R"({"question": "q", "passage": "p", "label": false})") == "passage: p question: q -> False");
  CHECK(one("superglue/boolq", "x.jsonl", R"({"question": "q", "passage": "p"})") == "passage: p question: q -> ?");
  CHECK(one("superglue/cb", "x.jsonl", R"({"premise": "A: b? B: c.", "hypothesis": "d", "label": "contradiction", "idx": 0})") ==
        "hypothesis: d premise: A: b? B: c. -> contradiction");
  const std::vector<std::string> order = {"entailment", "contradiction", "neutral"};
  CHECK(LabelMap::parse(named_task("superglue/cb").labels).words() == order);
  CHECK(one("superglue/copa", "x.jsonl",
            R"({"premise": "It rained.", "choice1": "Wet.", "choice2": "Dry.", "question": "effect", "label": 0, "idx": 1})") ==
        "choice1: Wet. choice2: Dry. premise: It rained. question: effect -> choice1");
  CHECK(one("superglue/rte", "x.jsonl", R"({"premise": "p", "hypothesis": "h", "label": "not_entailment"})") ==
        "hypothesis: h premise: p -> not_entailment");
  CHECK(one("superglue/wic", "x.jsonl",
            R"({"word": "bank", "sentence1": "A bank.", "sentence2": "Banks.", "start1": 2, "end1": 6, "label": true})") ==
        "sentence1: A bank. sentence2: Banks. word: bank -> True");
  CHECK(one("superglue/axb", "x.jsonl", R"({"sentence1": "p", "sentence2": "h", "label": "entailment"})") ==
        "hypothesis: h premise: p -> entailment");
}

TEST_CASE("named_task: MultiRC has a row for each answer, without the marks of HTML") {
  const char* content =
      R"({"idx": 0, "passage": {"text": "<b>Sent 1: </b>A.<br>B.", "questions": [{"question": "Who?", "idx": 7, "answers": [)"
      R"({"text": "a<br>b", "idx": 0, "label": 1}, {"text": "c", "idx": 1, "label": 0}]}]}})";
  CHECK(cast("superglue/multirc", "x.jsonl", content) ==
        std::vector<std::string>{"question: Who? answer: a b paragraph: Sent 1: A. B. -> True",
                                 "question: Who? answer: c paragraph: Sent 1: A. B. -> False"});
  const Table table = load_named_task(named_task("superglue/multirc"), TemporaryFile("x.jsonl", content).path(), TaskUse::evaluation);
  CHECK(table.text(1, table.column("group")) == "7");
}

TEST_CASE("named_task: ReCoRD trains on every answer and is asked once") {
  const char* content =
      R"({"passage": {"text": "Bob met Al.\n@highlight\nAl left\n@highlight\nEnd\"\n@highlight\nBob", "entities": [)"
      R"({"start": 8, "end": 9}, {"start": 0, "end": 2}, {"start": 23, "end": 24}]}, "qas": [{"query": "@placeholder left", "idx": 2, )"
      R"("answers": [{"start": 8, "end": 9, "text": "Al"}, {"start": 23, "end": 24, "text": "Al"}, {"start": 0, "end": 2, "text": "Bob"}]}]})";
  const std::string input = "query: @placeholder left entities: Al, Bob passage: Bob met Al. Al left. End\" Bob -> ";
  CHECK(cast("superglue/record", "x.jsonl", content) == std::vector<std::string>{input + "Al", input + "Bob"});
  CHECK(one("superglue/record", "x.jsonl", content, TaskUse::evaluation) == input + "Al");
  const Table table = load_named_task(named_task("superglue/record"), TemporaryFile("x.jsonl", content).path(), TaskUse::evaluation);
  CHECK(table.cell(0, table.column("answers")).value == R"(["Al","Bob"])");
}

TEST_CASE("named_task: WSC trains on referents alone, with the pronoun between asterisks") {
  const char* content =
      R"({"text": "Bob asked Tom if he can lend some money.", "target": {"span1_index": 2, "span1_text": "Tom", "span2_index": 4, "span2_text": "he"}, "label": true})"
      "\n"
      R"({"text": "Bob asked Tom if he can lend some money.", "target": {"span1_index": 0, "span1_text": "Bob", "span2_index": 4, "span2_text": "he"}, "label": false})";
  const std::string input = "Bob asked Tom if *he* can lend some money. -> ";
  CHECK(cast("superglue/wsc", "x.jsonl", content) == std::vector<std::string>{input + "Tom"});
  CHECK(cast("superglue/wsc", "x.jsonl", content, TaskUse::evaluation) == std::vector<std::string>{input + "Tom", input + "Bob"});
}

TEST_CASE("named_task: spans of WSC are those of TFDS's wsc.fixed") {
  const std::string text = "Ann threw the tree branch away because it was Old.";
  CHECK(fixed_span(text, 2, "the tree") == "the tree");  // in the text: as it is
  CHECK(fixed_span(text, 2, "The tree") == "the tree");
  CHECK(fixed_span(text, 2, "The tree\nbranch.") == "the tree branch");
  CHECK(fixed_span(text, 0, "ann threw..") == "Ann threw");
  CHECK(fixed_span(text, 2, "Kamenev and Zinoviev") == "Kamenev and Zinoviev");  // is not in the text, whatever is done
  CHECK(fixed_span(text, 99, "The tree") == "The tree");
  CHECK(fixed_span(text, 2, "...") == "...");
  CHECK(fixed_span(text, 2, "") == "");
  const char* row =
      R"({"text": "Pete saw the lake before he saw Tom.", "target": {"span1_index": 2, "span1_text": "The lake", "span2_index": 5, "span2_text": "He"}, "label": true})";
  CHECK(one("superglue/wsc", "x.jsonl", row) == "Pete saw the lake before *he* saw Tom. -> the lake");
}

TEST_CASE("named_task: a pronoun that stands elsewhere is found; one at an end is an error") {
  // as the two rows of the data set that T5 spells out
  CHECK(mark_pronoun("John laughed. \"Good for him,\" he said. ", 4, "him", "f:1") == "John laughed. \"Good for *him* ,\" he said.");
  CHECK(mark_pronoun("They might want to use it , but really", 4, "it", "f:1") == "They might want to use *it* , but really");
  CHECK(mark_pronoun("a  b it c", 3, "it", "f:1") == "a  b *it* c");
  CHECK_THROWS_WITH_AS((void)mark_pronoun("it is so", 0, "it", "f:1"), "f:1: the pronoun 'it' is word 0 of 3; wanted one inside the text",
                       FileError);
  CHECK_THROWS_AS((void)mark_pronoun("so is it", 2, "it", "f:1"), FileError);
  CHECK_THROWS_WITH_AS((void)mark_pronoun("so is he then", 2, "it", "f:1"), "f:1: no word 'it' in the text; wanted the pronoun", FileError);
}

TEST_CASE("named_task: GLUE's files are read by the names of their columns, quotes literally") {
  CHECK(one("glue/sst2", "dev.tsv", "sentence\tlabel\na \"fine\" film . \t1\n") == "sentence: a \"fine\" film .  -> positive");
  CHECK(one("glue/sst2", "test.tsv", "index\tsentence\n0\tbad\n") == "sentence: bad -> ?");
  CHECK(one("glue/cola", "dev.tsv", "gj04\t0\t*\tThem sleeps.\n") == "sentence: Them sleeps. -> unacceptable");
  CHECK(one("glue/mrpc", "dev.tsv", "\xEF\xBB\xBFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t2\t3\tA b.\tB a.\n") ==
        "sentence1: A b. sentence2: B a. -> equivalent");
  CHECK(one("glue/mnli", "x.tsv", "index\tsentence1\tsentence2\tlabel1\tgold_label\n0\tp\th\tneutral\tentailment\n") ==
        "hypothesis: h premise: p -> entailment");
  CHECK(one("glue/qnli", "x.tsv", "index\tquestion\tsentence\tlabel\n0\tq?\ts\tnot_entailment\n") == "question: q? sentence: s -> not_entailment");
  CHECK(one("glue/rte", "x.tsv", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n") == "sentence1: a sentence2: b -> entailment");
  CHECK(one("glue/wnli", "x.tsv", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1\n") == "sentence1: a sentence2: b -> entailment");
  CHECK(one("glue/stsb", "x.tsv", "index\tsentence1\tsentence2\tscore\n0\ta\tb\t3.300\n") == "sentence1: a sentence2: b -> 3.2");
  // a broken row of the original file is left out
  CHECK(one("glue/qqp", "x.tsv", "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\ta?\n1\t3\t4\tb?\tc?\t1\n") ==
        "question1: b? question2: c? -> duplicate");
  CHECK_THROWS_AS((void)cast("glue/rte", "x.tsv", "index\tsentence1\tsentence2\tlabel\n0\ta\n"), FileError);
  CHECK_THROWS_AS((void)cast("glue/rte", "x.tsv", "a\tb\n0\ta\n"), FileError);
}

TEST_CASE("named_task: scores of STS-B are rounded to fifths in float32, halves to even") {
  const std::vector<std::pair<float, std::string>> cases = {{2.5F, "2.4"}, {3.3F, "3.2"}, {0.1F, "0.0"}, {4.75F, "4.8"}, {1.7F, "1.6"},
                                                            {0.3F, "0.4"}, {2.9F, "2.8"}, {5.0F, "5.0"}, {1.1F, "1.2"}};
  for (const auto& [score, text] : cases) CHECK(stsb_target(score) == text);
}

TEST_CASE("named_task: SQuAD and MRQA have spaces round punctuation and all answers") {
  const char* squad =
      R"json({"data": [{"title": "t", "paragraphs": [{"context": "It cost $5.  (In 1999.)", "qas": [{"id": "1", "question": "How much? ",
          "answers": [{"text": "$5", "answer_start": 8}, {"text": "5", "answer_start": 9}]}]}]}]})json";
  CHECK(one("squad", "x.json", squad) == "question: How much ? context: It cost $ 5 . ( In 1999 . )  ->  $ 5");
  const char* mrqa =
      R"({"header": {"dataset": "BioASQ", "split": "dev"}})"
      "\n"
      R"({"id": "", "context": "The p53 gene.", "qas": [{"qid": "a", "question": "Which?", "detected_answers": [{"text": "p53"}], "answers": ["p53", "P-53"]}]})";
  CHECK(one("mrqa/BioASQ", "x.jsonl", mrqa) == "question: Which ? context: The p53 gene .  -> p53");
  const Table table = load_named_task(named_task("mrqa/BioASQ"), TemporaryFile("x.jsonl", mrqa).path(), TaskUse::evaluation);
  CHECK(table.cell(0, table.column("answers")).value == R"(["p53","P - 53"])");
  CHECK(pad_punctuation("a-b\t\n c") == "a - b c");
}

TEST_CASE("named_task: a folder stands for its official files, in gzip too") {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "CB");
  (void)folder.write("CB/val.jsonl", R"({"premise": "p", "hypothesis": "h", "label": "neutral"})");
  const NamedTask task = named_task("superglue/cb");
  CHECK(load_named_task(task, folder.path(), TaskUse::evaluation).rows() == 1);
  CHECK(load_named_task(task, folder.path() / "CB", TaskUse::evaluation).rows() == 1);
  CHECK_THROWS_AS((void)load_named_task(task, folder.path(), TaskUse::training), FileError);
  // as MRQA's sets are distributed
  (void)folder.write("BioASQ.jsonl.gz", testing::packed("{\"header\": {}}\n{\"context\": \"c\", \"qas\": [{\"question\": \"q?\", \"answers\": [\"a\"]}]}\n"));
  const NamedTask bio = named_task("mrqa/BioASQ");
  CHECK(load_named_task(bio, folder.path(), TaskUse::evaluation).rows() == 1);
  CHECK(load_named_task(bio, folder.path() / "BioASQ.jsonl.gz", TaskUse::training).rows() == 1);
  CHECK_THROWS_AS((void)named_task("superglue/none"), ConfigError);
  CHECK_THROWS_AS((void)named_task("mrqa/"), ConfigError);
}

}  // namespace named_task_test
