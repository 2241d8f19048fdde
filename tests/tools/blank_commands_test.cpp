// `train`, `eval`, `predict` with a model that fills blanks, from files to files.
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
#include "models/glm/glm.h"
#include "models/heads/headed_encoder.h"
#include "models/open_model.h"
#include "peft/lora_file.h"
#include "peft/peft_config.h"
#include "peft/text_generator.h"
#include "tests/support/temporary_folder.h"
#include "tests/tools/encoder_command_options.h"
#include "tools/eval_command.h"
#include "tools/eval_encoder.h"
#include "tools/train_command.h"
#include "tools/train_encoder.h"

namespace blank_commands_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Options = EncoderCommandOptions;

/// A GLM of random numbers that knows a handful of words.
struct Setting {
  Setting() {
    std::filesystem::create_directories(model);
    write_atomically(model / "config.json", R"({"model_type":"glm","vocab_size":28,"hidden_size":16,"num_layers":2,"num_attention_heads":2,
      "max_sequence_length":40,"block_position_encoding":true})");
    write_atomically(
        model / "vocab.txt",
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncat\nsat\non\nmat\ngood\nbad\nwho\n?\nann\nlives\nin\nrome\n.\nis\nx\ny\nz\nu\nv\n");
    write_atomically(model / "added_tokens.json", R"({"<|startofpiece|>": 24, "<|endofpiece|>": 25})");
    GlmConfig config;
    config.vocab_size = 28;
    config.hidden_size = 16;
    config.num_layers = config.num_attention_heads = 2;
    config.max_sequence_length = 40;
    Glm made(config, Parameters(random_source(5), {}), {});
    Graph graph;
    (void)made.encode(graph, {}, {});
    std::vector<std::pair<std::string, Tensor>> tensors(made.parameters().loaded().begin(), made.parameters().loaded().end());
    write_safetensors(model / "model.safetensors", tensors);
    args.model = model;
    args.method = "prefix";
    args.output_dir = folder.path() / "out";
    args.init.tokens = 3;
    args.max_steps = 300;
    args.batch_size = 4;
    args.optimizer.learning_rate = 0.05;
  }

  [[nodiscard]] std::filesystem::path classes() const {
    return folder.write("c.tsv", "text\tlabel\ncat is .\tgood\nmat is .\tbad\nann is\tgood\nrome is\tbad\n");
  }
  [[nodiscard]] std::filesystem::path choices() const {
    return folder.write("m.jsonl", R"({"p": "who is good ?", "a": "ann", "b": "cat sat", "label": 0}
{"p": "who is bad ?", "a": "ann", "b": "mat", "label": 1}
{"p": "who lives ?", "a": "x", "b": "ann lives", "c": "z", "label": 1}
{"p": "who sat ?", "a": "mat", "b": "y y", "c": "cat", "label": 2}
)");
  }

  void train(const std::filesystem::path& file, const Line& line) {
    args.train_file = file;
    args.validation_file = file;
    const Options options(line);
    if (options.task.given()) {
      train_encoder_command(args, options.files, options.task);
    } else {
      train_command(args, options.files);
    }
  }

  [[nodiscard]] std::string predict(const std::filesystem::path& file, const Line& line = {}) const {
    EvalArguments eval;
    eval.model = args.method == "full" ? args.output_dir : model;
    if (args.method != "full") eval.adapters = {args.output_dir};
    eval.file = file;
    eval.output = folder.path() / "p.jsonl";
    const Options options(line);
    if (is_encoder_task(eval, options.task)) {
      predict_encoder_command(eval, options.files, options.task);
    } else {
      CLI::App app;
      GenerationOptions generation;
      generation.add_to(app);
      app.parse(Line{"4", "--max-new-tokens"});
      predict_command(eval, options.files, generation);
    }
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

TEST_CASE("blank commands: every method trains on what stands in a blank; the whole model generates it") {
  for (const std::string method : {"prefix", "prompt", "ptuning", "lora", "full"}) {
    CAPTURE(method);
    Setting s;
    s.args.method = method;
    if (s.args.method == "full") s.args.optimizer.learning_rate = 3e-3;
    const auto file = s.folder.write("t.tsv", "a\tb\ncat sat\ton mat\nann lives\tin rome\nx\ty\n");
    s.train(file, {"--input", "{a} [MASK] .", "--target", "{b}"});
    const std::string predictions = s.predict(file);
    CHECK(count(predictions, R"("prediction":)") == 3);
    if (s.args.method == "full") {
      CHECK(count(predictions, R"("prediction":"on mat")") == 1);
      CHECK(count(predictions, R"("prediction":"in rome")") == 1);
      continue;
    }
    const PeftConfig config = PeftConfig::read(s.args.output_dir);
    CHECK(config.task_type == "CAUSAL_LM");
    CHECK(is_lora(s.args.output_dir) == (s.args.method == "lora"));
  }
}

TEST_CASE("blank commands: an input without a blank gets one, and label words compete") {
  Setting s;
  s.args.method = "full";
  s.args.optimizer.learning_rate = 3e-3;
  const auto file = s.classes();
  s.train(file, {"--input", "{text}", "--labels", "bad,good"});
  CHECK(TextTask::read(s.args.output_dir)->input == "{text} [MASK]");
  const std::string predictions = s.predict(file);
  CHECK(count(predictions, R"("prediction":"good")") == 2);
  CHECK(count(predictions, R"("prediction":"bad")") == 2);
}

TEST_CASE("blank commands: heads of classes, linear or the class's own, read their row; a verbalizer fills the blank") {
  for (const std::string pooler : {"auto", "none"}) {
    CAPTURE(pooler);
    Setting s;
    const auto file = s.classes();
    s.train(file, {"--task", "SEQ_CLS", "--input", "{text}", "--pooler", pooler});
    const std::string predictions = s.predict(file);
    CHECK(count(predictions, R"("prediction":"good")") == 2);
    CHECK(count(predictions, R"("prediction":"bad")") == 2);
  }
  for (const std::string loss : {"vocabulary", "labels"}) {
    CAPTURE(loss);
    Setting s;
    s.args.method = "full";
    s.args.optimizer.learning_rate = 3e-3;
    const auto file = s.classes();
    s.train(file, {"--task", "MASKED_LM", "--input", "{text} it is [MASK] .", "--labels", "bad,good", "--verbalizer-loss", loss});
    CHECK(count(s.predict(file), R"("prediction":"good")") == 2);
  }
}

TEST_CASE("blank commands: choices compete by the likelihood of their tokens, in parts and with LoRA beside") {
  const Line task = {"--task", "MULTIPLE_CHOICE", "--input", "{p}", "--choice", "{a}", "--choice", "{b}", "--choice", "{c}"};
  for (const bool beside : {false, true}) {
    CAPTURE(beside);
    Setting s;
    s.args.gradient_accumulation_steps = 2;
    // learns from every seed and with the kernels of every instruction set
    s.args.optimizer.learning_rate = 0.02;
    s.args.max_steps = 500;
    if (beside) s.args.lora = LoraConfig{.r = 2};
    s.train(s.choices(), task);
    const std::string predictions = s.predict(s.choices());
    CHECK(count(predictions, R"("prediction":0)") == 1);
    CHECK(count(predictions, R"("prediction":1)") == 2);
    CHECK(count(predictions, R"("prediction":2)") == 1);
    CHECK(is_lora(s.args.output_dir / kLoraFolder) == beside);
  }
}

TEST_CASE("blank commands: several blanks are filled from left to right") {
  Setting s;
  const auto model = open_model(s.model);
  const auto tokenizer = load_tokenizer(s.model);
  const NoMethod none;
  GenerationConfig config;
  config.max_new_tokens = 3;
  TextGenerator generator(*model, none, *tokenizer, config, 16, 2);
  std::vector<Example> examples(2);
  examples[0].source = tokenizer->encode("cat [MASK] on [MASK] .").ids;
  examples[1].source = tokenizer->encode("[MASK] lives").ids;
  const auto texts = generator.generate(examples, 0);
  REQUIRE(texts.size() == 2);
  CHECK(count(texts[0], std::string(TextGenerator::kBetweenPieces)) == 1);
  CHECK(count(texts[1], std::string(TextGenerator::kBetweenPieces)) == 0);
  // the first piece does not depend on the blanks behind it
  examples.resize(1);
  CHECK(generator.generate(examples, 0).front() == texts[0]);
}

}  // namespace blank_commands_test
