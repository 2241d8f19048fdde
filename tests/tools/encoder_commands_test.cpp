// `train`, `eval` and `predict` of tasks with heads, from files to files.
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <doctest/doctest.h>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/bert/bert.h"
#include "models/heads/headed_encoder.h"
#include "peft/peft_config.h"
#include "tests/support/temporary_folder.h"
#include "tests/tools/encoder_command_options.h"
#include "tools/eval_encoder.h"
#include "tools/train_encoder.h"

namespace encoder_commands_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Options = EncoderCommandOptions;

/// A BERT of random numbers that knows a handful of words, and small files of every kind of task.
struct Setting {
  Setting() {
    std::filesystem::create_directories(model);
    write_atomically(
        model / "config.json",
        R"({"model_type":"bert","vocab_size":24,"hidden_size":16,"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":32,
      "max_position_embeddings":64,"type_vocab_size":2,"hidden_act":"gelu","layer_norm_eps":1e-12,"pad_token_id":0})");
    write_atomically(
        model / "vocab.txt",
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncat\nsat\non\nmat\ngood\nbad\nwho\n?\nann\nlives\nin\nrome\n.\nis\nx\ny\nz\nu\nv\n");
    BertConfig config;
    config.vocab_size = 24;
    config.hidden_size = config.embedding_size = 16;
    config.num_hidden_layers = config.num_attention_heads = 2;
    config.intermediate_size = 32;
    config.max_position_embeddings = 64;
    Bert made(config, Parameters(random_source(5), {}));
    HeadedEncoder encoder{made, {}};
    encoder.heads.emplace_back(Head::fresh(made, HeadKind::sequence, 2, 0, ""));
    Graph graph;
    add_logits(encoder, graph, {}, {}, false);
    (void)made.mlm_head(graph, made.encode(graph, {}, {}));
    std::vector<std::pair<std::string, Tensor>> tensors;
    for (const auto& [name, tensor] : made.parameters().loaded()) {
      if (!name.starts_with("classifier")) tensors.emplace_back(name, tensor);
    }
    write_safetensors(model / "model.safetensors", tensors);
    args.model = model;
    args.method = "prefix";
    args.output_dir = folder.path() / "out";
    args.init.tokens = 3;
    args.max_steps = 400;
    args.batch_size = 4;
    args.optimizer.learning_rate = 0.05;
  }

  [[nodiscard]] std::filesystem::path classes() const {
    return folder.write("c.tsv", "text\tlabel\ncat is good .\tyes\nmat is bad .\tno\nann is good\tyes\nrome is bad\tno\n");
  }
  [[nodiscard]] std::filesystem::path choices() const {
    return folder.write("m.jsonl", R"({"p": "who is good ?", "a": "ann", "b": "cat", "label": 0}
{"p": "who is bad ?", "a": "ann", "b": "mat", "label": 1}
{"p": "who lives ?", "a": "x", "b": "ann", "c": "z", "label": 1}
{"p": "who sat ?", "a": "mat", "b": "y", "c": "cat", "label": 2}
)");
  }
  [[nodiscard]] std::filesystem::path tags() const { return folder.write("n.conll", "ann B-P\nlives O\nin O\nrome B-L\n\ncat O\nsat O\n"); }
  [[nodiscard]] std::filesystem::path answers() const {
    return folder.write("q.json",
                        R"({"data": [{"title": "t", "paragraphs": [{"context": "ann lives in rome .", "qas": [)"
                        R"({"id": "a", "question": "who lives in rome ?", "answers": [{"text": "ann", "answer_start": 0}]}]}]}]})");
  }

  void train(const std::filesystem::path& file, const Line& line) {
    args.train_file = file;
    args.validation_file = file;
    const Options options(line);
    train_encoder_command(args, options.files, options.task);
  }

  [[nodiscard]] std::string predict(const std::filesystem::path& file, const std::filesystem::path& adapter, const Line& line = {}) const {
    EvalArguments eval;
    eval.model = args.method == "full" ? args.output_dir : model;
    if (args.method != "full") eval.adapters = {adapter};
    eval.file = file;
    eval.output = folder.path() / "p.jsonl";
    const Options options(line);
    REQUIRE(is_encoder_task(eval, options.task));
    predict_encoder_command(eval, options.files, options.task);
    return read_text(*eval.output);
  }

  TemporaryFolder folder;
  std::filesystem::path model = folder.path() / "model";
  TrainArguments args;
};

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("encoder options: one of another kind of task is an error that names its kind") {
  const auto task_of = [](const Line& line) { return Options(line).task.task(std::nullopt); };
  CHECK(task_of({"--task", "QUESTION_ANS", "--doc-stride", "9"}).doc_stride == 9);
  CHECK_THROWS_WITH_AS((void)task_of({"--task", "SEQ_CLS", "--doc-stride", "9"}),
                       "--doc-stride: goes with --task QUESTION_ANS; SEQ_CLS was given", ConfigError);
  CHECK_THROWS_WITH_AS((void)task_of({"--task", "TOKEN_CLS", "--pooler", "none"}),
                       "--pooler: goes with --task SEQ_CLS or MULTIPLE_CHOICE; TOKEN_CLS was given", ConfigError);
  CHECK_THROWS_AS((void)task_of({"--task", "TOKEN_CLS", "--superglue", "rte"}), ConfigError);
  CHECK_THROWS_WITH_AS(Options({"--regression"}).task.require_fit({}), "--regression: goes with --task SEQ_CLS; none was given",
                       ConfigError);
}

TEST_CASE("encoder commands: every method learns two classes, and the saved adapter predicts them") {
  for (const auto* method : {"prefix", "prompt", "ptuning", "head", "full"}) {
    CAPTURE(method);
    Setting s;
    s.args.method = method;
    if (s.args.method == "full") s.args.optimizer.learning_rate = 1e-3;
    const auto file = s.classes();
    s.train(file, {"--task", "SEQ_CLS", "--input", "{text}"});
    const std::string predictions = s.predict(file, s.args.output_dir);
    CHECK(count(predictions, R"("prediction":"yes")") == 2);
    CHECK(count(predictions, R"("prediction":"no")") == 2);
  }
}

TEST_CASE("encoder commands: adapters are PEFT's, with the head and the task") {
  Setting s;
  s.train(s.classes(), {"--task", "SEQ_CLS", "--input", "{text}"});
  const PeftConfig config = PeftConfig::read(s.args.output_dir);
  CHECK(config.task_type == "SEQ_CLS");
  CHECK(config.num_virtual_tokens == 3);
  const auto file = SafetensorsFile::open(s.args.output_dir / "adapter_model.safetensors");
  CHECK(file.dims("base_model.classifier.weight") == Dims{2, 16});
  CHECK(file.dims("prompt_embeddings") == Dims{3, 64});
}

TEST_CASE("encoder commands: every method learns which choice is right, with and without a pooler, in parts and by rows") {
  const Line task = {"--task", "MULTIPLE_CHOICE", "--input", "{p}", "--choice", "{a}", "--choice", "{b}", "--choice", "{c}"};
  for (const auto* method : {"prefix", "prompt", "full"}) {
    for (const auto* pooler : {"auto", "none"}) {
      CAPTURE(method);
      CAPTURE(pooler);
      Setting s;
      s.args.method = method;
      s.args.gradient_accumulation_steps = s.args.method == "prefix" ? 2 : 1;
      if (s.args.method == "prompt") s.args.batch_tokens = 64;
      if (s.args.method == "full") s.args.optimizer.learning_rate = 1e-3;
      Line line = task;
      line.insert(line.end(), {"--pooler", pooler});
      s.train(s.choices(), line);
      const std::string predictions = s.predict(s.choices(), s.args.output_dir);
      CHECK(count(predictions, R"("prediction":0)") == 1);
      CHECK(count(predictions, R"("prediction":1)") == 2);
      CHECK(count(predictions, R"("prediction":2)") == 1);
    }
  }
}

TEST_CASE("encoder commands: COPA is multiple choice unless classes are asked for, and named labels are predicted by name") {
  Setting s;
  s.args.max_steps = 1;
  const auto file =
      s.folder.write("copa.jsonl", R"({"premise": "ann is good .", "choice1": "cat", "choice2": "mat", "question": "cause", "label": 1})");
  s.train(file, {"--superglue", "copa"});
  const auto kept = EncoderTask::read(s.args.output_dir).value();
  CHECK(kept.front().kind == HeadKind::choice);
  CHECK(kept.front().superglue == "copa");
  CHECK(count(s.predict(file, s.args.output_dir), "prediction") == 1);
  s.train(file, {"--task", "SEQ_CLS", "--superglue", "copa"});
  CHECK(EncoderTask::read(s.args.output_dir).value().front().kind == HeadKind::sequence);
  CHECK(count(s.predict(file, s.args.output_dir), "prediction") == 2);
  CHECK_THROWS_AS(s.train(file, {"--task", "MULTIPLE_CHOICE", "--superglue", "rte"}), ConfigError);
  CHECK_THROWS_AS(s.train(file, {"--task", "TOKEN_CLS", "--superglue", "copa"}), ConfigError);

  const auto named = s.folder.write("n.tsv", "p\ta\tb\tlabel\nwho\tann\tcat\tB\n");
  s.train(named, {"--task", "MULTIPLE_CHOICE", "--input", "{p}", "--choice", "{a}", "--choice", "{b}", "--labels", "A,B"});
  const std::string prediction = s.predict(named, s.args.output_dir);
  CHECK(count(prediction, R"("prediction":"A")") + count(prediction, R"("prediction":"B")") == 1);
  CHECK_THROWS_AS(s.train(named, {"--task", "MULTIPLE_CHOICE", "--input", "{p}", "--choice", "{a}"}), ConfigError);
  CHECK_THROWS_AS(s.train(named, {"--task", "MULTIPLE_CHOICE", "--choice", "{a}", "--choice", "{b}"}), ConfigError);
}

TEST_CASE("encoder commands: the pooler is the head's own, the checkpoint's or none, in every layout of an adapter") {
  for (const auto* method : {"prefix", "prompt", "head", "full"}) {
    for (const auto* pooler : {"frozen", "trained", "none"}) {
      CAPTURE(method);
      CAPTURE(pooler);
      Setting s;
      s.args.method = method;
      if (s.args.method == "full") s.args.optimizer.learning_rate = 1e-3;
      const auto file = s.classes();
      s.train(file, {"--task", "SEQ_CLS", "--input", "{text}", "--pooler", pooler});
      const std::string predictions = s.predict(file, s.args.output_dir);
      CHECK(count(predictions, R"("prediction":"yes")") == 2);
      CHECK(EncoderTask::read(s.args.output_dir).value().front().pooler == pooler_of(pooler));
    }
  }
  Setting s;
  CHECK_THROWS_AS(s.train(s.tags(), {"--task", "TOKEN_CLS", "--pooler", "none"}), ConfigError);
  s.args.max_steps = 1;
  s.train(s.classes(), {"--task", "SEQ_CLS", "--input", "{text}", "--pooler", "none"});
  CHECK_THROWS_WITH_AS((void)s.predict(s.classes(), s.args.output_dir, {"--pooler", "trained"}),
                       ("--pooler trained: the head of " + s.args.output_dir.string() + " was trained with none").c_str(), ConfigError);
}

TEST_CASE("encoder commands: a verbalizer that normalises over its words learns and predicts as one over the vocabulary") {
  for (const auto* method : {"prefix", "full"}) {
    Setting s;
    s.args.method = method;
    if (s.args.method == "full") s.args.optimizer.learning_rate = 1e-3;
    const auto file = s.classes();
    s.train(file, {"--task", "MASKED_LM", "--input", "{text} is [MASK]", "--labels", "no=bad,yes=good", "--verbalizer-loss", "labels"});
    const std::string predictions = s.predict(file, s.args.output_dir);
    CHECK(count(predictions, R"("prediction":"good")") == 2);
    CHECK(count(predictions, R"("prediction":"bad")") == 2);
  }
}

TEST_CASE("encoder commands: tags and answers") {
  Setting s;
  s.train(s.tags(), {"--task", "TOKEN_CLS"});
  CHECK(count(s.predict(s.tags(), s.args.output_dir), R"("prediction":["B-P","O","O","B-L"])") == 1);
  Setting q;
  q.train(q.answers(), {"--task", "QUESTION_ANS"});
  CHECK(count(q.predict(q.answers(), q.args.output_dir), R"("prediction":"ann")") == 1);
}

TEST_CASE("encoder commands: a verbalizer needs no head of its own") {
  Setting s;
  s.args.method = "full";
  s.args.optimizer.learning_rate = 1e-3;
  const auto file = s.classes();
  s.train(file, {"--task", "MASKED_LM", "--input", "{text} is [MASK]", "--labels", "no=bad,yes=good"});
  const std::string predictions = s.predict(file, s.args.output_dir);
  CHECK(count(predictions, R"("prediction":"good")") == 2);
  CHECK(count(predictions, R"("prediction":"bad")") == 2);
}

TEST_CASE("encoder commands: several tasks share a prompt and have a folder each, from which one task can go on") {
  Setting s;
  (void)s.classes();
  (void)s.tags();
  const auto tasks = s.folder.write("tasks.json", R"({"tasks": [{"name": "mood", "task": "SEQ_CLS", "text": "{text}", "train_file": "c.tsv",
    "validation_file": "c.tsv"}, {"name": "names", "task": "TOKEN_CLS", "train_file": "n.conll", "validation_file": "n.conll"}]})");
  s.train({}, {"--tasks", tasks.string()});
  const auto mood = s.args.output_dir / "mood";
  const auto names = s.args.output_dir / "names";
  CHECK(count(s.predict(s.classes(), mood), R"("prediction":"yes")") == 2);
  CHECK(count(s.predict(s.tags(), names), R"("B-L")") == 1);
  const auto rows = [](const std::filesystem::path& folder) { return read_text(folder / "adapter_config.json").size(); };
  CHECK(rows(mood) > 0);
  const auto first = SafetensorsFile::open(mood / "adapter_model.safetensors").get("prompt_embeddings").clone();
  const auto second = SafetensorsFile::open(names / "adapter_model.safetensors").get("prompt_embeddings").clone();
  CHECK(std::ranges::equal(first.values<float>(), second.values<float>()));

  s.args.method_options.prefix_init = "adapter";
  s.args.init_adapter = mood;
  s.args.output_dir = s.folder.path() / "on";
  s.args.max_steps = 1;
  s.args.optimizer.learning_rate = 0;
  s.train(s.classes(), {"--task", "SEQ_CLS", "--input", "{text}"});
  const auto third = SafetensorsFile::open(s.args.output_dir / "adapter_model.safetensors").get("prompt_embeddings").clone();
  CHECK(std::ranges::equal(first.values<float>(), third.values<float>()));
}

TEST_CASE("encoder commands: layers of a deep prompt are chosen") {
  Setting s;
  s.args.method_options.prefix_layers = {1};
  s.train(s.classes(), {"--task", "SEQ_CLS", "--input", "{text}"});
  const auto file = SafetensorsFile::open(s.args.output_dir / "prefix.safetensors");
  CHECK(file.dims("encoder_self.key") == Dims{1, 2, 3, 8});
  CHECK(count(s.predict(s.classes(), s.args.output_dir), R"("prediction":"yes")") == 2);
}

TEST_CASE("encoder commands: a fine-tuned folder has the head under its checkpoint names and the classes in its config") {
  Setting s;
  s.args.method = "full";
  s.train(s.classes(), {"--task", "SEQ_CLS", "--input", "{text}"});
  const auto file = SafetensorsFile::open(s.args.output_dir / "model.safetensors");
  CHECK(file.contains("classifier.weight"));
  CHECK(file.contains("bert.pooler.dense.weight"));
  CHECK(count(read_text(s.args.output_dir / "config.json"), "\"id2label\"") == 1);
}

TEST_CASE("encoder commands: one clear error for what does not fit") {
  Setting s;
  s.train(s.classes(), {"--task", "SEQ_CLS", "--input", "{text}"});
  CHECK_THROWS_WITH_AS((void)s.predict(s.classes(), s.args.output_dir, {"--labels", "a,b,c"}),
                       (s.args.output_dir.string() + ": a head of 2 classes; the task 'task' has 3").c_str(), ConfigError);
  Setting m;
  CHECK_THROWS_AS(m.train(m.classes(), {"--task", "SEQ_CLS"}), ConfigError);
  CHECK_THROWS_AS(m.train(m.classes(), {"--task", "MASKED_LM", "--input", "{text}", "--labels", "no=bad,yes=good"}), FileError);
  CHECK_THROWS_AS(m.train(m.classes(), {"--task", "TOKEN_CLS", "--tag-column", "7"}), ConfigError);
}

}  // namespace encoder_commands_test
