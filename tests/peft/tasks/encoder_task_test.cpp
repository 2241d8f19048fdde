#include "peft/tasks/encoder_task.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_folder.h"

namespace encoder_task_test {

using namespace preamble;

TEST_CASE("encoder_task: what is written beside an adapter is read back") {
  const testing::TemporaryFolder folder;
  CHECK_FALSE(EncoderTask::read(folder.path()).has_value());
  EncoderTask classes;
  classes.text = "{a}";
  classes.pair = "{b}";
  classes.labels = "0=no,1=yes";
  EncoderTask answers;
  answers.name = "qa";
  answers.kind = HeadKind::span;
  answers.version_2_with_negative = true;
  EncoderTask::write({classes, answers}, folder.path());
  const auto tasks = EncoderTask::read(folder.path());
  REQUIRE(tasks.has_value());
  REQUIRE(tasks->size() == 2);
  CHECK((*tasks)[0].pair == "{b}");
  CHECK((*tasks)[0].class_names() == std::vector<std::string>{"no", "yes"});
  CHECK((*tasks)[0].length() == 128);
  CHECK((*tasks)[1].kind == HeadKind::span);
  CHECK((*tasks)[1].version_2_with_negative);
  CHECK((*tasks)[1].length() == 384);
  CHECK((*tasks)[1].classes() == 2);
}

TEST_CASE("encoder_task: a text-to-text task is none of a head") {
  const testing::TemporaryFolder folder;
  (void)folder.write("preamble_task.json", R"({"input": "{s}", "target": "{t}"})");
  CHECK_FALSE(EncoderTask::read(folder.path()).has_value());
}

TEST_CASE("encoder_task: SuperGLUE gives templates, labels and metric") {
  EncoderTask task;
  task.superglue = "record";
  task.apply_superglue();
  CHECK(task.kind == HeadKind::sequence);
  CHECK(task.pair == "{pair}");
  CHECK(task.classes() == 2);
  CHECK(task.chosen_metric() == "answer_f1");
  CHECK_THROWS_AS((void)EncoderTask().classes(), ConfigError);
}

TEST_CASE("encoder_task: choices, pooler and the loss of a verbalizer are kept") {
  const testing::TemporaryFolder folder;
  EncoderTask choice;
  choice.kind = HeadKind::choice;
  choice.text = "{p}";
  choice.choices = {"{a}", "{b}"};
  choice.labels = "A,B";
  choice.pooler = Pooler::trained;
  EncoderTask words;
  words.kind = HeadKind::masked_lm;
  words.verbalizer_loss = "labels";
  EncoderTask copa;
  copa.kind = HeadKind::choice;
  copa.superglue = "copa";
  copa.apply_superglue();
  CHECK(copa.choices == std::vector<std::string>{"{choice1}", "{choice2}"});
  CHECK(copa.text == "{text}");
  EncoderTask::write({choice, words, copa}, folder.path());
  const auto tasks = EncoderTask::read(folder.path()).value();
  CHECK(tasks[0].kind == HeadKind::choice);
  CHECK(tasks[0].choices == choice.choices);
  CHECK(tasks[0].labels == "A,B");
  CHECK(tasks[0].pooler == Pooler::trained);
  CHECK(tasks[0].class_names().empty());
  CHECK(tasks[1].verbalizer_loss == "labels");
  CHECK(tasks[1].pooler == Pooler::automatic);
  CHECK(tasks[2].choices == copa.choices);
  copa.superglue = "record";
  CHECK_THROWS_WITH_AS(copa.apply_superglue(), "SuperGLUE task 'record': no multiple choice; wanted copa, or SEQ_CLS", ConfigError);
  (void)folder.write("preamble_task.json", R"({"tasks": [{"task": "MASKED_LM", "verbalizer_loss": "words"}]})");
  CHECK_THROWS_AS((void)EncoderTask::read(folder.path()), FileError);
  (void)folder.write("preamble_task.json", R"({"tasks": [{"task": "SEQ_CLS", "pooler": "mean"}]})");
  CHECK_THROWS_AS((void)EncoderTask::read(folder.path()), ConfigError);
}

TEST_CASE("encoder_task: paths of a multi-task file are relative to it") {
  const testing::TemporaryFolder folder;
  const auto path =
      folder.write("tasks.json", R"({"tasks": [{"name": "ner", "task": "TOKEN_CLS", "train_file": "a.conll"},)"
                                 R"({"task": "SEQ_CLS", "text": "{s}", "train_file": "b.tsv", "validation_file": "c.tsv"}]})");
  const auto tasks = read_task_files(path);
  REQUIRE(tasks.size() == 2);
  CHECK(tasks[0].train_file == folder.path() / "a.conll");
  CHECK_FALSE(tasks[0].validation_file.has_value());
  CHECK(tasks[1].validation_file == folder.path() / "c.tsv");
  const auto empty = folder.write("none.json", R"({"tasks": []})");
  CHECK_THROWS_WITH_AS((void)read_task_files(empty), (empty.string() + ": no list 'tasks'; wanted one task at least").c_str(), FileError);
  const auto layout = folder.write("layout.json", R"({"tasks": [{"task": "TOKEN_CLS", "layout": "rows", "train_file": "a"}]})");
  CHECK_THROWS_AS((void)read_task_files(layout), FileError);
}

}  // namespace encoder_task_test
