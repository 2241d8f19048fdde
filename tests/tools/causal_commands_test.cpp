// `train`, `eval` and `predict` with a decoder-only model, from files to files.
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "data/table.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/gpt2/gpt2.h"
#include "peft/inspection.h"
#include "peft/native_prefix.h"
#include "peft/native_prompt.h"
#include "peft/peft_config.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"
#include "tools/eval_command.h"
#include "tools/train_command.h"

namespace causal_commands_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// A GPT-2 of random numbers with a real tokenizer, and a small set of records.
struct Setting {
  Setting() {
    std::filesystem::create_directories(model);
    write("config.json", R"({"model_type":"gpt2","vocab_size":4000,"n_positions":96,"n_embd":16,"n_layer":2,"n_head":2,
      "bos_token_id":3999,"eos_token_id":3999,"activation_function":"gelu_new","layer_norm_epsilon":1e-5})");
    for (const auto* file : {"vocab.json", "merges.txt"}) std::filesystem::copy_file(golden("tokenizers/gpt2-nano") / file, model / file);
    Gpt2Config config;
    config.vocab_size = 4000;
    config.n_positions = 96;
    config.n_embd = 16;
    config.n_layer = config.n_head = 2;
    config.n_inner = 64;
    Gpt2 made(config, Parameters(random_source(3), {}));
    Graph graph;
    add_logits(made, graph, {}, {}, false);
    std::vector<std::pair<std::string, Tensor>> tensors;
    for (const auto& [name, tensor] : made.parameters().loaded()) tensors.emplace_back(name, tensor);
    write_safetensors(model / "model.safetensors", tensors);
    data = folder.write("set.csv", "mr,ref\n\"name[Oak], food[pie]\",Oak has pie.\nname[Elm],Elm is here.\nname[Elm],This is Elm.\n");
    args.model = model;
    args.method = "prefix";
    args.train_file = data;
    args.validation_file = data;
    args.output_dir = folder.path() / "out";
    args.init.tokens = 3;
    args.max_steps = 4;
    args.metric = "loss";
    args.optimizer.learning_rate = 0.05;
  }

  void write(const std::string& name, const std::string& text) const { write_atomically(model / name, text); }

  /// The task options of a command line.
  static void parse(TaskOptions& task, const std::vector<std::string>& line) {
    static std::vector<std::unique_ptr<CLI::App>> apps;
    apps.push_back(std::make_unique<CLI::App>());
    task.add_to(*apps.back());
    std::vector<std::string> reversed(line.rbegin(), line.rend());
    apps.back()->parse(reversed);
  }

  void train() {
    TaskOptions task;
    parse(task, {"--format", "e2e", "--max-source-length", "40", "--max-target-length", "12"});
    train_command(args, task);
  }

  /// Predictions with what was trained.
  [[nodiscard]] std::vector<std::string> predict(bool distinct) const {
    EvalArguments eval;
    eval.model = args.method == "full" ? args.output_dir : model;
    if (args.method != "full") eval.adapters = {args.output_dir};
    eval.file = data;
    eval.distinct = distinct;
    eval.output = folder.path() / "p.jsonl";
    TaskOptions task;
    parse(task, {"--format", "e2e"});
    CLI::App app;
    GenerationOptions generation;
    generation.add_to(app);
    app.parse(std::vector<std::string>{"4", "--max-new-tokens", "2", "--num-beams"});
    predict_command(eval, task, generation);
    const Table table = load_table(*eval.output);
    std::vector<std::string> predictions;
    for (std::int64_t row = 0; row < table.rows(); ++row) predictions.push_back(table.text(row, table.column("prediction")));
    return predictions;
  }

  TemporaryFolder folder;
  std::filesystem::path model = folder.path() / "model";
  std::filesystem::path data;
  TrainArguments args;
};

}  // namespace

TEST_CASE("causal commands: every method trains, saves PEFT's layout, and answers") {
  for (const auto* method : {"prefix", "prompt", "ptuning", "full"}) {
    CAPTURE(method);
    Setting s;
    s.args.method = method;
    s.train();
    if (std::string(method) != "full") {
      const PeftConfig config = PeftConfig::read(s.args.output_dir);
      CHECK(config.task_type == "CAUSAL_LM");
      CHECK(config.num_transformer_submodules == 1);
      CHECK(config.num_virtual_tokens == 3);
    }
    CHECK(s.predict(false).size() == 3);
    const auto distinct = s.predict(true);
    CHECK(distinct.size() == 2);
    CHECK(distinct[1] == s.predict(false)[2]);
  }
}

TEST_CASE("causal commands: a projected prefix starts at the activations of words") {
  Setting s;
  s.args.max_steps = 1;
  s.args.optimizer.learning_rate = 0;
  s.args.method_options.prefix_init = "text";
  s.args.method_options.prefix_init_text = "the old oak";
  s.train();
  const auto rows = [&] {
    return numbers(SafetensorsFile::open(s.args.output_dir / "adapter_model.safetensors").get("prompt_embeddings").clone());
  };
  const auto plain = rows();
  s.args.method_options.prefix_projection = true;
  s.args.method_options.encoder_hidden_size = 8;
  s.train();
  check_close(rows(), plain, 1e-4);
}

TEST_CASE("causal commands: the native layout takes the decoder's site alone, and layers of it") {
  Setting s;
  s.args.method_options.prefix_sites = {"cross"};
  CHECK_THROWS_WITH_AS(s.train(), "prefix_sites cross: the model has no such attention; wanted decoder_self", ConfigError);
  s.args.method_options.prefix_sites = {"decoder_self"};
  s.args.method_options.prefix_layers = {1};
  s.train();
  CHECK(NativePrefix::is_in(s.args.output_dir));
  CHECK(s.predict(true).size() == 2);
}

TEST_CASE("causal commands: an infix of embeddings, or of keys and values, trains, is inspected and answers from its own files") {
  for (const auto* method : {"prompt", "ptuning", "prefix"}) {
    CAPTURE(method);
    Setting s;
    s.args.method = method;
    s.args.method_options.placement = "infix";
    s.train();
    CHECK(NativePrefix::is_in(s.args.output_dir));
    CHECK(NativePrompt::is_in(s.args.output_dir) == (std::string(method) != "prefix"));
    CHECK_FALSE(std::filesystem::exists(s.args.output_dir / "adapter_config.json"));
    const auto facts = inspect_adapter(s.args.output_dir, s.model, 2);
    CHECK(facts.at("placement") == "infix");
    CHECK(facts.at("trainable") == (std::string(method) == "prefix" ? 3 * 2 * 2 * 16 : 3 * 16));
    const auto distinct = s.predict(true);
    CHECK(distinct.size() == 2);
    CHECK(distinct[1] == s.predict(false)[2]);
  }
  Setting s;
  s.args.method = "full";
  s.args.method_options.placement = "infix";
  CHECK_THROWS_WITH_AS(s.train(), "--placement infix: goes with --method prompt, ptuning or prefix", ConfigError);
}

TEST_CASE("causal commands: options that do not go together") {
  Setting s;
  s.args.submodules = 2;
  CHECK_THROWS_WITH_AS(s.train(), "num_transformer_submodules 2: a model of one stack has 1", ConfigError);
  s.args.submodules = 0;
  s.args.trainable_layers = 1;
  CHECK_THROWS_WITH_AS(s.train(), "--trainable-layers 1: goes with --method full", ConfigError);
  s.args.method = "full";
  s.train();
  CHECK(s.predict(true).size() == 2);
}

}  // namespace causal_commands_test
