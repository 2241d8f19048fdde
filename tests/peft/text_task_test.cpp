#include "peft/text_task.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "data/jsonl.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "tests/support/golden.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/temporary_folder.h"

namespace text_task_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Ids = std::vector<std::int32_t>;

constexpr const char* kFile = "preamble_task.json";

const Tokenizer& tokenizer() {
  static const auto loaded = load_tokenizer(golden("tokenizers/t5-nano/spiece.model"));
  return *loaded;
}

Ids with_end(std::string_view text) {
  Ids ids = tokenize_with(tokenizer())(text);
  ids.push_back(*tokenizer().special().eos);
  return ids;
}

Table table_of(std::string_view jsonl) {
  Table table("t.jsonl");
  read_jsonl(table, jsonl);
  return table;
}

}  // namespace

TEST_CASE("text task: what is written beside an adapter reads back") {
  const TemporaryFolder folder;
  CHECK(!TextTask::read(folder.path()));
  const TextTask task{.input = "sentence: {sentence}",
                      .labels = "0=negative,1=positive",
                      .label_column = "stars",
                      .max_source_length = 64,
                      .max_target_length = 8};
  task.write(folder.path());
  const auto read = TextTask::read(folder.path());
  REQUIRE(read);
  CHECK(read->input == task.input);
  CHECK(read->target.empty());
  CHECK(read->labels == task.labels);
  CHECK(read->label_column == "stars");
  CHECK(read->max_source_length == 64);
  CHECK(read->max_target_length == 8);
  CHECK(read->classifies());
  const std::string text = read_text(folder.path() / kFile);
  read->write(folder.path());
  CHECK(read_text(folder.path() / kFile) == text);
}

TEST_CASE("text task: a damaged file is one clear error, absent fields have their defaults") {
  const TemporaryFolder folder;
  const std::string file = folder.write(kFile, R"({"input":"{a}"})").string();
  CHECK(TextTask::read(folder.path())->label_column == "label");
  CHECK(TextTask::read(folder.path())->max_source_length == 512);
  folder.write(kFile, "{}");
  CHECK_THROWS_WITH_AS((void)TextTask::read(folder.path()), (file + ": field 'input' is missing; wanted a string").c_str(), FileError);
  folder.write(kFile, R"({"input":"{a}","max_source_length":"64"})");
  CHECK_THROWS_WITH_AS((void)TextTask::read(folder.path()), (file + ": field 'max_source_length' is \"64\"; wanted an integer").c_str(),
                       FileError);
}

TEST_CASE("text task: sources and label words end with the end token") {
  const Table table = table_of("{\"sentence\":\"the sea\",\"label\":1}\n{\"sentence\":\"a ship\",\"label\":0}\n");
  const TextTask task{.input = "sentence: {sentence}", .labels = "0=old,1=new"};
  TruncationReport report;
  const auto examples = examples_of(task, table, tokenizer(), true, report);
  REQUIRE(examples.size() == 2);
  CHECK(examples[0].source == with_end("sentence: the sea"));
  CHECK(examples[0].target == with_end("new"));
  CHECK(examples[0].label == 1);
  CHECK(examples[1].target == with_end("old"));
  CHECK(label_targets(task, tokenizer()) == std::vector<Ids>{with_end("old"), with_end("new")});
  CHECK(report.sources_cut == 0);
}

TEST_CASE("text task: a target template makes texts, and rows to be answered need none") {
  const Table table = table_of("{\"question\":\"who came\",\"answer\":\"the boy\"}\n");
  const TextTask task{.input = "question: {question}", .target = "{answer}"};
  TruncationReport report;
  CHECK(examples_of(task, table, tokenizer(), true, report)[0].target == with_end("the boy"));
  const auto asked = examples_of(task, table_of("{\"question\":\"who came\"}\n"), tokenizer(), false, report);
  CHECK(asked[0].source == with_end("question: who came"));
  CHECK(asked[0].target.empty());
  CHECK(asked[0].label == -1);
}

TEST_CASE("text task: what is too long is cut and counted, the end token stays") {
  const Table table = table_of("{\"text\":\"the man and the boy and the old man of the sea\",\"label\":0}\n");
  const TextTask task{.input = "say: {text}", .labels = "0=old", .max_source_length = 8};
  TruncationReport report;
  const auto examples = examples_of(task, table, tokenizer(), true, report);
  CHECK(examples[0].source.size() <= 8);
  CHECK(examples[0].source.back() == *tokenizer().special().eos);
  CHECK(report.sources_cut == 1);
  CHECK(report.source_tokens_cut > 0);
}

TEST_CASE("text task: either labels or a target template") {
  const Table table = table_of("{\"text\":\"a\",\"label\":0}\n");
  TruncationReport report;
  const auto make = [&](const TextTask& task) { (void)examples_of(task, table, tokenizer(), true, report); };
  CHECK_THROWS_WITH_AS(make({.input = "{text}"}),
                       "task: neither a target template nor labels were given; wanted a target template or labels", ConfigError);
  CHECK_THROWS_WITH_AS(make({.input = "{text}", .target = "{text}", .labels = "0=old"}),
                       "task: a target template and labels were given; wanted a target template or labels", ConfigError);
}

TEST_CASE("text task: a label word that the vocabulary cannot spell is an error before training") {
  const TextTask task{.input = "{text}", .labels = "0=old,1=\u6f22\u5b57"};
  CHECK_THROWS_WITH_AS((void)label_targets(task, tokenizer()),
                       "label word '\u6f22\u5b57': the vocabulary cannot spell it; wanted another word", ConfigError);
}

TEST_CASE("text task: a decoder-only model's separator stands behind the source, its last space before the target") {
  const auto gpt2 = load_tokenizer(golden("tokenizers/gpt2-nano"));
  const auto model = golden_gpt2();
  const Table table = table_of("{\"record\":\"name : Oak\",\"text\":\"the oak\",\"label\":1}\n");
  TextTask task{.input = "{record}", .target = "{text}"};
  fit_to_model(task, *model, *gpt2);
  CHECK(task.separator == " <|endoftext|> ");
  TruncationReport report;
  const auto ids = [&](std::string_view text) { return tokenize_with(*gpt2)(text); };
  const auto example = examples_of(task, table, *gpt2, true, report).at(0);
  CHECK(example.source == ids("name : Oak <|endoftext|>"));
  Ids target = ids(" the oak");
  target.push_back(*gpt2->special().eos);
  CHECK(example.target == target);

  TextTask labels{.input = "{record}", .labels = "0=old,1=new", .separator = " It is "};
  fit_to_model(labels, *model, *gpt2);
  Ids word = ids(" new");
  word.push_back(*gpt2->special().eos);
  CHECK(label_targets(labels, *gpt2).at(1) == word);
  CHECK(examples_of(labels, table, *gpt2, true, report).at(0).target == word);
  CHECK(examples_of(labels, table, *gpt2, false, report).at(0).source == ids("name : Oak It is"));
  const TemporaryFolder folder;
  labels.write(folder.path());
  CHECK(TextTask::read(folder.path())->separator == " It is ");
  CHECK(answer_of(labels, "  an answer \n") == "an answer");
  CHECK(answer_of(labels, " \n").empty());
  CHECK(answer_of({}, " kept ") == " kept ");
}

TEST_CASE("text task: a separator is for decoder-only models alone") {
  const auto model = golden_bart();
  TextTask task{.input = "{a}", .separator = " - "};
  CHECK_THROWS_WITH_AS(fit_to_model(task, *model, tokenizer()), "separator ' - ': the model is no decoder-only model; wanted none", ConfigError);
  task.separator.reset();
  fit_to_model(task, *model, tokenizer());
  CHECK(!task.separator);
}

}  // namespace text_task_test
