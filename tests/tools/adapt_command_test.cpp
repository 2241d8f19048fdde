// `adapt`: models of every family from text to a folder.
#include "tools/adapt_command.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/safetensors.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/open_model.h"
#include "peft/peft_config.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace adapt_command_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// A config with a real tokenizer, and text.
struct Setting {
  explicit Setting(const std::string& family) {
    std::filesystem::create_directories(model);
    const auto use = [&](const char* tokenizer, const std::vector<const char*>& files) {
      for (const auto* file : files) std::filesystem::copy_file(golden(tokenizer) / file, model / file);
    };
    if (family == "t5") {
      write("config.json", R"({"model_type":"t5","vocab_size":4128,"d_model":16,"d_kv":8,"d_ff":24,"num_layers":1,"num_decoder_layers":1,
        "num_heads":2,"feed_forward_proj":"gated-gelu","tie_word_embeddings":false,"decoder_start_token_id":0,"pad_token_id":0,
        "eos_token_id":1})");
      use("tokenizers/t5-nano", {"spiece.model"});
    } else if (family == "gpt2") {
      write("config.json", R"({"model_type":"gpt2","vocab_size":4000,"n_positions":48,"n_embd":16,"n_layer":1,"n_head":2,
        "bos_token_id":3999,"eos_token_id":3999,"activation_function":"gelu_new","layer_norm_epsilon":1e-5})");
      use("tokenizers/gpt2-nano", {"vocab.json", "merges.txt"});
    } else {
      write("config.json", R"({"model_type":"bert","vocab_size":24,"hidden_size":16,"num_hidden_layers":1,"num_attention_heads":2,
        "intermediate_size":32,"max_position_embeddings":64,"type_vocab_size":2,"hidden_act":"gelu","layer_norm_eps":1e-12,"pad_token_id":0})");
      write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nold\noak\nhas\na\nbird\n.\nhouse\nand\nx\ny\nz\nu\nv\nw\nq\nr\ns\nt\n");
    }
    std::string text;
    for (int i = 0; i < 60; ++i) text += fmt::format("the old oak has a bird and house {} has the old bird .{}", i % 7, i % 5 == 0 ? "\n\f\n" : "\n");
    args.train.model = model;
    args.train.method = "full";
    args.train.keep_best = false;
    args.train.output_dir = folder.path() / "out";
    args.train.max_steps = 12;
    args.train.batch_size = 4;
    args.train.optimizer.learning_rate = 0.02;
    args.train.json = folder.path() / "log.jsonl";
    args.from_nothing = true;
    args.train_files = {folder.write("text.txt", text)};
    args.validation_files = {folder.write("held-out.txt", "the old bird has an oak . the house has a bird and the old oak .")};
    args.options.max_source_length = 24;
    args.shuffle_windows = 8;
  }

  void write(const std::string& name, const std::string& text) const { write_atomically(model / name, text); }

  /// Lines of the log.
  [[nodiscard]] std::vector<nlohmann::json> log() const {
    std::vector<nlohmann::json> lines;
    std::ifstream file(*args.train.json);
    for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }
  [[nodiscard]] std::string weights(const std::string& inside = "") const {
    return read_text(args.train.output_dir / inside / "model.safetensors");
  }

  TemporaryFolder folder;
  std::filesystem::path model = folder.path() / "model";
  AdaptArguments args;
};

}  // namespace

TEST_CASE("adapt command: every family learns text from nothing and is saved as a model that opens") {
  struct Case {
    const char *family, *objective;
  };
  for (const auto& [family, objective] : {Case{"t5", "span-corruption"}, Case{"t5", "prefix-lm"}, Case{"gpt2", "causal-lm"}, Case{"gpt2", "prefix-lm"},
                                          Case{"bert", "masked-lm"}}) {
    CAPTURE(family);
    CAPTURE(objective);
    Setting s(family);
    s.args.objective = objective;
    s.args.train.eval_steps = 1;
    adapt_command(s.args);
    const auto log = s.log();
    REQUIRE(log.size() == 13);
    CHECK(log[0]["eval"]["loss"].get<double>() > log[12]["best"]["value"].get<double>());
    CHECK(std::exp(log[11]["eval"]["loss"].get<double>()) == doctest::Approx(log[11]["eval"]["perplexity"].get<double>()));
    const auto model = open_model(s.args.train.output_dir);
    CHECK(model->vocabulary() > 0);
    CHECK(load_tokenizer(s.args.train.output_dir)->size() > 0);
  }
}

TEST_CASE("adapt command: goes on from the folder that it saved") {
  Setting s("t5");
  adapt_command(s.args);
  const double end = s.log()[11]["loss"].get<double>(), start = s.log()[0]["loss"].get<double>();
  Setting next("t5");
  next.args.from_nothing = false;
  next.args.train.model = s.args.train.output_dir;
  adapt_command(next.args);
  CHECK(next.log()[0]["loss"].get<double>() < (start + end) / 2);
  next.args.train.output_dir = s.args.train.output_dir;
  CHECK_THROWS_AS(adapt_command(next.args), FileError);
}

TEST_CASE("adapt command: a finished run has nothing left to do, and another run is not gone on with") {
  Setting s("t5");
  s.args.train.resume = true;
  adapt_command(s.args);
  const std::string weights = s.weights();
  adapt_command(s.args);
  CHECK(s.weights() == weights);
  CHECK(s.log().size() == 14);  // 12 steps and an end, and an end
  s.args.objective = "span-corruption";
  CHECK_THROWS_WITH_AS(adapt_command(s.args), doctest::Contains("objective: 'prefix-lm, 24 and 256 tokens at most' there"), ConfigError);
}

TEST_CASE("adapt command: copies on the way begin with the start") {
  Setting s("gpt2");
  s.args.train.checkpoint_steps = 6;
  adapt_command(s.args);
  for (const auto* name : {"checkpoint-0", "checkpoint-6", "checkpoint-12"}) CHECK(open_model(s.args.train.output_dir / name) != nullptr);
  CHECK(s.weights("checkpoint-0") != s.weights("checkpoint-6"));
  CHECK(s.weights("checkpoint-12") == s.weights());
}

TEST_CASE("adapt command: a prompt learns the objective in front of the frozen model") {
  for (const auto* family : {"t5", "gpt2", "bert"}) {
    CAPTURE(family);
    Setting s(family);
    s.args.train.max_steps = 2;
    adapt_command(s.args);
    s.args.from_nothing = false;
    s.args.train.model = s.args.train.output_dir;
    s.args.train.output_dir = s.folder.path() / "prompt";
    s.args.train.method = "prompt";
    s.args.train.init.tokens = 3;
    s.args.train.max_steps = 8;
    adapt_command(s.args);
    CHECK(PeftConfig::read(s.args.train.output_dir).num_virtual_tokens == 3);
    CHECK(s.log().front()["loss"].get<double>() > 0);
    CHECK_FALSE(std::filesystem::exists(s.args.train.output_dir / "model.safetensors"));
  }
}

TEST_CASE("adapt command: bad options are refused with what was wanted") {
  const auto refused = [](const char* family, const auto& change, const char* message) {
    Setting s(family);
    change(s.args);
    CHECK_THROWS_WITH_AS(adapt_command(s.args), doctest::Contains(message), ConfigError);
  };
  refused("t5", [](AdaptArguments& a) { a.train.max_steps = 0; }, "--max-steps: 0 was given");
  refused("t5", [](AdaptArguments& a) { a.objective = "masked-lm"; }, "wanted prefix-lm, span-corruption or denoising");
  refused("gpt2", [](AdaptArguments& a) { a.objective = "span-corruption"; }, "wanted causal-lm or prefix-lm");
  refused("bert", [](AdaptArguments& a) { a.objective = "causal-lm"; }, "wanted masked-lm");
  refused("gpt2", [](AdaptArguments& a) { a.options.max_source_length = 49; }, "the model has 48 positions");
  refused("t5", [](AdaptArguments& a) { a.train.method = "prompt"; }, "a model from nothing is trained as a whole");
  refused("t5", [](AdaptArguments& a) { a.document_end = "<none-such>"; }, "--document-end: '<none-such>' was given");
  refused("t5", [](AdaptArguments& a) { a.options.max_source_length = 2; }, "wanted room for 2 others");
}

}  // namespace adapt_command_test
