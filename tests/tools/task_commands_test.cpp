// Tasks by name, mixtures, text prompts, slots and ensembles, from files to files, on the demo's T5.
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/table.h"
#include "engine/core/file.h"
#include "peft/text_task.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"
#include "tools/program.h"

namespace task_commands_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Words = std::vector<std::string>;

std::string model() { return (golden("..") / ".." / "tools" / "demo_model").string(); }

/// Runs a command line; returns what it said on standard error, empty for success.
std::string failure(const Words& words) {
  std::vector<const char*> line = {"preamble"};
  for (const auto& word : words) line.push_back(word.c_str());
  std::ostringstream out, err;
  const int status = run_program(static_cast<int>(line.size()), line.data(), out, err);
  CHECK((status == 0) == err.str().empty());
  return err.str();
}

void run(const Words& words) { CHECK(failure(words) == ""); }

/// A benchmark's folder with CB and COPA, and a SQuAD file.
struct Files {
  Files() {
    std::string cb, copa;
    for (int i = 0; i < 6; ++i) {
      const char* label = i % 3 == 0 ? "entailment" : i % 3 == 1 ? "contradiction" : "neutral";
      cb += nlohmann::json{{"premise", "the dog ran " + std::to_string(i)}, {"hypothesis", "it ran"}, {"label", label}}.dump() + "\n";
      copa += nlohmann::json{{"premise", "it rained"}, {"choice1", "the street was wet"}, {"choice2", "a cat"}, {"question", "effect"},
                             {"label", i % 2}}
                  .dump() +
              "\n";
    }
    for (const char* task : {"CB", "COPA"}) std::filesystem::create_directories(folder.path() / "glue" / task);
    for (const char* file : {"train.jsonl", "val.jsonl"}) {
      (void)folder.write(std::string("glue/CB/") + file, cb);
      (void)folder.write(std::string("glue/COPA/") + file, copa);
    }
    squad = folder.write("squad.json", R"({"data": [{"title": "t", "paragraphs": [{"context": "The cat sat on the mat.", "qas": [)"
                                       R"({"id": "1", "question": "Who sat?", "answers": [{"text": "The cat", "answer_start": 0}]},)"
                                       R"({"id": "2", "question": "On what?", "answers": [{"text": "the mat", "answer_start": 15}]}]}]}]})");
  }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder.path() / name).string(); }
  [[nodiscard]] std::string benchmark() const { return path("glue"); }

  TemporaryFolder folder;
  std::filesystem::path squad;
};

Words joined(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("task commands: a mixture trains one prompt, which is scored task by task") {
  const Files files;
  const Words train = {"train", "--model", model(), "--train-file", files.benchmark(), "--validation-file", files.benchmark(), "--batch-size",
                       "4", "--num-virtual-tokens", "2", "--max-steps", "3", "--output-dir", files.path("out")};
  run(joined(train, {"--task-name", "superglue/cb,superglue/copa", "--mixture-rates", "1,3", "--json", files.path("log.jsonl")}));
  const Words eval = {"eval", "--model", model(), "--adapter", files.path("out"), "--file", files.benchmark(), "--json"};
  CHECK(failure(eval).find("trained on a mixture of superglue/cb, superglue/copa; wanted --task-name") != std::string::npos);
  run(joined(eval, {"--task-name", "superglue/copa"}));
  const std::string log = read_text(files.path("log.jsonl"));
  for (const char* score : {"superglue/cb.macro_f1", "superglue/copa.accuracy", "\"score\""}) CHECK(log.find(score) != std::string::npos);
  CHECK(failure(joined(train, {"--task-name", "superglue/cb,superglue/copa", "--mixture-rates", "1"})).find("1 rates were given for 2 tasks") !=
        std::string::npos);
}

TEST_CASE("task commands: a text prompt is chosen, kept and used like an adapter") {
  const Files files;
  run({"train", "--model", model(), "--method", "text-prompt", "--task-name", "superglue/cb", "--train-file", files.benchmark(), "--instruction",
       "Does it follow?", "--shots", "3", "--shot-selection", "balanced", "--calibrate", "--output-dir", files.path("out")});
  const auto task = TextTask::read(files.path("out"));
  REQUIRE(task.has_value());
  CHECK(task->input.starts_with("Does it follow?\n\nhypothesis: it ran premise: the dog ran "));
  CHECK(task->input.ends_with("hypothesis: {hypothesis} premise: {premise}"));
  run({"eval", "--model", model(), "--adapter", files.path("out"), "--file", files.benchmark(), "--json"});
  run({"predict", "--model", model(), "--adapter", files.path("out"), "--file", files.benchmark(), "--output", files.path("p.jsonl")});
  CHECK(load_table(files.path("p.jsonl")).rows() == 6);
  CHECK(failure({"eval", "--model", model(), "--adapter", files.path("out"), "--adapter", files.path("out"), "--file", files.benchmark()})
            .find("a text prompt") != std::string::npos);
}

TEST_CASE("task commands: slots are saved as their own runs would save them, and answer together") {
  const Files files;
  const Words train = {"train", "--model", model(), "--task-name", "superglue/cb", "--train-file", files.benchmark(), "--validation-file",
                       files.benchmark(), "--batch-size", "3", "--max-steps", "4", "--eval-steps", "2", "--optim", "adamw"};
  run(joined(train, {"--slots", "2", "--slot-seeds", "5,9", "--slot-learning-rates", "0.1,0.02", "--slot-tokens", "2,4", "--slot-inits",
                     "class_labels,sample_vocab", "--output-dir", files.path("slots")}));
  run(joined(train, {"--seed", "9", "--learning-rate", "0.02", "--num-virtual-tokens", "4", "--prompt-tuning-init", "sample_vocab",
                     "--output-dir", files.path("one")}));
  for (const char* file : {"adapter_model.safetensors", "adapter_config.json", "preamble_task.json"})
    CHECK(read_text(files.folder.path() / "slots" / "slot-1" / file) == read_text(files.folder.path() / "one" / file));
  const Words ensemble = {"ensemble", "--model", model(), "--adapter", files.path("slots/slot-0"), "--adapter", files.path("slots/slot-1"),
                          "--json"};
  run(joined(ensemble, {"--file", files.benchmark(), "--output", files.path("p.jsonl")}));
  CHECK(load_table(files.path("p.jsonl")).rows() == 6);
  // generated texts
  run(joined(ensemble, {"--file", files.squad.string(), "--task-name", "squad", "--max-target-length", "6", "--output", files.path("q.jsonl")}));
  CHECK(load_table(files.path("q.jsonl")).rows() == 2);
  CHECK(failure(joined(train, {"--slots", "2", "--slot-seeds", "5", "--output-dir", files.path("slots")})).find("--slot-seeds: 1 were given") !=
        std::string::npos);
  CHECK(failure(joined(train, {"--slots", "2", "--method", "prefix", "--output-dir", files.path("slots")})).find("--slots: goes with") !=
        std::string::npos);
}

TEST_CASE("task commands: one adapter makes no ensemble, and names of tasks are checked") {
  const Files files;
  CHECK(failure({"train", "--model", model(), "--task-name", "superglue/xx", "--train-file", files.benchmark(), "--output-dir",
                 files.path("out")})
            .find("task 'superglue/xx': unknown; wanted one of glue/cola") != std::string::npos);
  CHECK(failure({"train", "--model", model(), "--task-name", "superglue/cb", "--labels", "a,b", "--train-file", files.benchmark(),
                 "--output-dir", files.path("out")})
            .find("decides labels and targets") != std::string::npos);
}

}  // namespace task_commands_test
