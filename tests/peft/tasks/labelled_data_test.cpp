#include "peft/tasks/labelled_data.h"

#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "tests/support/word_tokenizer.h"

namespace labelled_data_test {

using namespace preamble;
using namespace preamble::testing::word;
using testing::TemporaryFile;

namespace {

using Json = nlohmann::ordered_json;

std::vector<Json> predictions(const LabelledData& data, const std::vector<HeadLogits>& logits) {
  std::vector<Json> rows;
  data.predict(logits, [&](const Json& row) { rows.push_back(row); });
  return rows;
}

EncoderTask sentiment() {
  EncoderTask task;
  task.text = "{s}";
  return task;
}

}  // namespace

TEST_CASE("labelled_data: classes that were not given are the values of the training file, and scores those of their logits") {
  const TemporaryFile file("t.tsv", "s\tlabel\ncat sat\tpos\nmat\tneg\ncat\tpos\n");
  const EncoderTask task = completed(sentiment(), file.path(), {});
  CHECK(task.labels == "neg,pos");
  CHECK(task.classes() == 2);
  CHECK(task.chosen_metric() == "accuracy");
  const auto data = load_labelled_data(task, file.path(), *testing::word_tokenizer(), {.head = 2});
  REQUIRE(data->examples().size() == 3);
  CHECK(data->examples()[0].label == 1);
  CHECK(data->examples()[0].head == 2);
  const std::vector<HeadLogits> logits = {{0, 1}, {2, 1}, {3, 0}};
  const Metrics metrics = data->score(logits);
  CHECK(metrics.at("accuracy") == doctest::Approx(2.0 / 3));
  CHECK(metrics.at("f1") == doctest::Approx(2.0 / 3));
  const auto rows = predictions(*data, logits);
  CHECK(rows[2].at("prediction") == "neg");
  CHECK(rows[0].at("probabilities").at("pos").get<double>() == doctest::Approx(0.7310586));
  CHECK_THROWS_AS((void)data->score({}), ShapeError);
}

TEST_CASE("labelled_data: words with tags that training lacked count as missed, outside of training") {
  const TemporaryFile train("n.conll", "cat B-X\nsat O\n");
  const TemporaryFile test("m.conll", "cat B-X\nsat B-Y\n");
  EncoderTask task;
  task.kind = HeadKind::tokens;
  task = completed(task, train.path(), {});
  const auto data = load_labelled_data(task, test.path(), *testing::word_tokenizer());
  REQUIRE(data->remarks().size() == 1);
  CHECK(data->remarks().front() == test.path().string() + ": 1 words have tags that training lacked (B-Y): they count as missed");
  const Metrics metrics = data->score(std::vector<HeadLogits>{{0, 1, 1, 0}});
  CHECK(metrics.at("precision") == 1);
  CHECK(metrics.at("recall") == 0.5);
  CHECK_THROWS_AS((void)load_labelled_data(task, test.path(), *testing::word_tokenizer(), {.training = true}), FileError);
  const TemporaryFile other("o.conll", "cat NN\nsat VB\n");
  CHECK_THROWS_WITH_AS((void)load_labelled_data(task, other.path(), *testing::word_tokenizer()),
                       (other.path().string() + ": the tags are NN VB; wanted some of O B-X").c_str(), FileError);
}

TEST_CASE("labelled_data: numbers are scored by correlation") {
  const TemporaryFile file("t.tsv", "s\tlabel\ncat\t1.5\nmat\t-2\nsat\t0\n");
  EncoderTask task = sentiment();
  task.regression = true;
  CHECK(task.classes() == 1);
  const auto data = load_labelled_data(task, file.path(), *testing::word_tokenizer());
  const Metrics metrics = data->score(std::vector<HeadLogits>{{3.0F}, {-4.0F}, {0.0F}});
  CHECK(metrics.at("pearson") == doctest::Approx(1));
  CHECK(metrics.at("spearman") == doctest::Approx(1));
}

TEST_CASE("labelled_data: a verbalizer reads the logits of its words at the mask") {
  const TemporaryFile file("t.tsv", "s\tlabel\ncat\t1\nmat\t0\n");
  EncoderTask task = sentiment();
  task.kind = HeadKind::masked_lm;
  task.text = "{s} on [MASK]";
  task.labels = "0=bad,1=good";
  const auto data = load_labelled_data(task, file.path(), *testing::word_tokenizer());
  CHECK(data->examples()[0].tags == std::vector<std::int32_t>{kNoTag, kNoTag, kNoTag, good, kNoTag});
  CHECK(data->score(std::vector<HeadLogits>{{0, 1}, {0, 1}}).at("accuracy") == 0.5);
}

TEST_CASE("labelled_data: the choice with the highest score is the answer") {
  const TemporaryFile file("t.jsonl",
                           "{\"p\": \"who\", \"a\": \"ann\", \"b\": \"mat\", \"label\": 0}\n"
                           "{\"p\": \"who\", \"a\": \"cat\", \"b\": \"ann\", \"c\": \"mat\", \"label\": 1}\n");
  EncoderTask task;
  task.kind = HeadKind::choice;
  task.text = "{p}";
  task.choices = {"{a}", "{b}", "{c}"};
  CHECK(task.classes() == 1);
  CHECK(task.chosen_metric() == "accuracy");
  const auto data = load_labelled_data(task, file.path(), *testing::word_tokenizer(), {.head = 3});
  REQUIRE(data->examples().size() == 2);
  CHECK(data->examples()[1].sequences() == 3);
  CHECK(data->examples()[1].head == 3);
  const std::vector<HeadLogits> logits = {{2, 1}, {0, 0, std::log(2.0F)}};
  CHECK(data->score(logits).at("accuracy") == 0.5);
  const auto rows = predictions(*data, logits);
  CHECK(rows[1].at("prediction") == 2);
  CHECK(rows[1].at("scores").size() == 3);
  CHECK(rows[1].at("probabilities")[2].get<double>() == doctest::Approx(0.5));
  task.labels = "A,B,C";
  CHECK_THROWS_AS((void)load_labelled_data(task, file.path(), *testing::word_tokenizer()), FileError);
  CHECK(predictions(*load_labelled_data(task, file.path(), *testing::word_tokenizer(), {.with_labels = false}), logits)[1].at(
            "prediction") == "C");
  task.labels = "A,B";
  CHECK_THROWS_AS((void)load_labelled_data(task, file.path(), *testing::word_tokenizer()), ConfigError);
  task.choices.resize(1);
  CHECK_THROWS_WITH_AS((void)load_labelled_data(task, file.path(), *testing::word_tokenizer()),
                       "task 'task': 1 template(s) of choices; wanted two at least, such as {choice1} and {choice2}", ConfigError);
}

TEST_CASE("labelled_data: tags are scored as entities, and predictions cover every word") {
  const TemporaryFile file("n.conll", "Cats B-X\nsat O\n\nAnn B-Y\n");
  EncoderTask task;
  task.kind = HeadKind::tokens;
  task = completed(task, file.path(), {});
  CHECK(task.tags == std::vector<std::string>{"O", "B-X", "B-Y"});
  const auto data = load_labelled_data(task, file.path(), *testing::word_tokenizer());
  const std::vector<HeadLogits> logits = {{0, 1, 0, 1, 0, 0}, {1, 0, 0}};
  const Metrics metrics = data->score(logits);
  CHECK(metrics.at("precision") == 1);
  CHECK(metrics.at("recall") == 0.5);
  CHECK(predictions(*data, logits)[0].at("prediction") == Json::array({"B-X", "O"}));
}

TEST_CASE("labelled_data: answers are scored as SQuAD does") {
  const TemporaryFile file("q.json", R"({"data": [{"title": "T", "paragraphs": [{"context": "Ann lives in Rome.", "qas": [)"
                                     R"({"id": "a", "question": "who?", "answers": [{"text": "Ann", "answer_start": 0}]}]}]}]})");
  EncoderTask task;
  task.kind = HeadKind::span;
  const auto data = load_labelled_data(task, file.path(), *testing::word_tokenizer());
  REQUIRE(data->examples().size() == 1);
  CHECK(data->examples()[0].begin == 4);
  HeadLogits logits(2 * data->examples()[0].source.size(), -1.0F);
  logits[2 * 4] = logits[2 * 5 + 1] = 5;  // from "Ann" to "lives"
  const std::vector<HeadLogits> all = {logits};
  CHECK(data->score(all).at("exact") == 0);
  CHECK(data->score(all).at("f1") == doctest::Approx(2.0 / 3));
  CHECK(predictions(*data, all)[0].at("prediction") == "Ann lives");
}

TEST_CASE("labelled_data: a file without labels can be predicted, and samples are drawn by seed") {
  const TemporaryFile file("t.tsv", "s\ncat\nmat\nsat\nann\n");
  EncoderTask task = sentiment();
  task.labels = "no,yes";
  const auto all = load_labelled_data(task, file.path(), *testing::word_tokenizer(), {.with_labels = false});
  CHECK(all->examples().size() == 4);
  CHECK(all->examples()[3].label == 0);
  const auto few = load_labelled_data(task, file.path(), *testing::word_tokenizer(), {.with_labels = false, .samples = 2, .seed = 5});
  CHECK(few->examples().size() == 2);
  CHECK_THROWS_AS((void)load_labelled_data(task, file.path(), *testing::word_tokenizer()), ConfigError);
}

TEST_CASE("labelled_data: labels with commas and equals signs, blanks and fractions") {
  const TemporaryFile file("t.jsonl", "{\"s\": \"cat\", \"label\": \"bad, really \"}\n{\"s\": \"mat\", \"label\": \"x=1\"}\n");
  const EncoderTask task = completed(sentiment(), file.path(), {});
  CHECK(task.class_names() == std::vector<std::string>{"bad, really", "x=1"});
  const auto data = load_labelled_data(task, file.path(), *testing::word_tokenizer());
  CHECK(data->examples()[1].label == 1);
  const TemporaryFile numbers("n.csv", "s,label\ncat,0.0\nmat,1.0\n");
  CHECK(completed(sentiment(), numbers.path(), {}).labels == "0,1");
  const WarningCapture capture;
  const TemporaryFile hidden("h.tsv", "s\tlabel\ncat\t-1\nmat\t-1\n");
  (void)completed(sentiment(), hidden.path(), {});
  CHECK(capture.messages() ==
        std::vector<std::string>{hidden.name() + ": column 'label' holds '-1' in every row; there is nothing to learn"});
}

TEST_CASE("labelled_data: a sentence without tokens is not trained on, and is predicted as O") {
  const TemporaryFile file("n.conll", "cat B-X\nsat O\n\n\xEF\xB8\x8F O\n\non O\n");
  EncoderTask task;
  task.kind = HeadKind::tokens;
  task = completed(task, file.path(), {});
  const WarningCapture capture;
  const auto data = load_labelled_data(task, file.path(), *testing::word_tokenizer(), {.training = true});
  CHECK(data->examples().size() == 2);
  CHECK(capture.messages().size() == 1);
  const std::vector<HeadLogits> logits = {{0, 1, 1, 0}, {0, 1}};
  const auto rows = predictions(*data, logits);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].at("prediction") == Json::array({"B-X", "O"}));
  CHECK(rows[1].at("prediction") == Json::array({"O"}));
  CHECK(rows[2].at("prediction") == Json::array({"B-X"}));
  CHECK(data->score(logits).at("accuracy") == doctest::Approx(2.0 / 3));
}

TEST_CASE("labelled_data: tags that mark no entities are chosen by accuracy, and numbers may have names") {
  const TemporaryFile words("n.conll", "the DT\ncat NN\n\nthe DT\nmat NN\n");
  EncoderTask task;
  task.kind = HeadKind::tokens;
  CHECK(completed(task, words.path(), {}).chosen_metric() == "accuracy");
  task.labels = R"(["O", "B-X"])";
  const TemporaryFile numbers("n.jsonl", R"({"tokens": ["the", "cat"], "ner_tags": [0, 1]})");
  const EncoderTask named = completed(task, numbers.path(), {});
  CHECK(named.tags == std::vector<std::string>{"O", "B-X"});
  CHECK(named.chosen_metric() == "f1");
  CHECK(load_labelled_data(named, numbers.path(), *testing::word_tokenizer())->score(std::vector<HeadLogits>{{1, 0, 0, 1}}).at("f1") == 1);
}

TEST_CASE("labelled_data: questions whose answer has no place are skipped in training alone, and counted") {
  const TemporaryFile file("q.json", R"({"data": [{"paragraphs": [{"context": "the cat sat", "qas": [
    {"id": "1", "question": "who ?", "answers": [{"text": "cat", "answer_start": 4}]},
    {"id": "2", "question": "who ?", "answers": [{"text": "CAT", "answer_start": 4}]}]}]}]})");
  EncoderTask task;
  task.kind = HeadKind::span;
  const WarningCapture capture;
  CHECK(load_labelled_data(task, file.path(), *testing::word_tokenizer())->examples().size() == 2);
  CHECK(capture.messages().empty());
  CHECK(load_labelled_data(task, file.path(), *testing::word_tokenizer(), {.training = true})->examples().size() == 1);
  REQUIRE(capture.messages().size() == 1);
  CHECK(capture.messages()[0].starts_with(file.name() + ": 1 questions skipped, '2' first"));
}

}  // namespace labelled_data_test
