#include "peft/tasks/encoder_task.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_folder.h"

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
  CHECK(task.pair == "{pair}");
  CHECK(task.classes() == 2);
  CHECK(task.chosen_metric() == "answer_f1");
  CHECK_THROWS_AS((void)EncoderTask().classes(), ConfigError);
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
