#include "peft/inspection.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"
#include "peft/native_prefix.h"
#include "peft/text_task.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace inspection_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int64_t kWidth = 32;

/// A small model with a tokenizer that has fewer tokens than the model has words.
struct ModelFolder : TemporaryFolder {
  ModelFolder() {
    for (const auto& entry : std::filesystem::directory_iterator(golden("t5-v10/model"))) {
      write(entry.path().filename().string(), read_text(entry.path()));
    }
    write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nsea\n");
    write("tokenizer_config.json", R"({"tokenizer_class":"BertTokenizer"})");
  }
};

/// A prompt whose rows are words of the model, scaled.
Tensor words_of(const std::filesystem::path& model, const std::vector<std::int64_t>& ids, float scale) {
  const Tensor embedding = open_encoder_decoder(model)->embedding();
  Tensor prompt(Dtype::f32, {static_cast<std::int64_t>(ids.size()), kWidth});
  auto values = prompt.values<float>();
  for (std::size_t row = 0; row < ids.size(); ++row) {
    const Tensor word = embedding.rows(ids[row], 1);
    std::ranges::transform(std::as_const(word).values<float>(), values.begin() + static_cast<std::ptrdiff_t>(row * kWidth),
                           [&](float x) { return scale * x; });
  }
  return prompt;
}

void put(const std::filesystem::path& folder, const Tensor& prompt, std::int64_t tokens, PeftType type = PeftType::prompt_tuning) {
  PeftConfig config;
  config.peft_type = type;
  config.task_type = "SEQ_2_SEQ_LM";
  config.base_model_name_or_path = "small";
  config.num_virtual_tokens = tokens;
  if (type == PeftType::prompt_tuning) config.num_transformer_submodules = prompt.dim(0) / tokens;
  write_adapter(folder, config, std::vector<std::pair<std::string, Tensor>>{{"prompt_embeddings", prompt}});
}

}  // namespace

TEST_CASE("inspection: counts what is stored and what is used, and the norms of what is used") {
  const TemporaryFolder folder;
  Tensor prompt(Dtype::f32, {4, 2});
  std::ranges::copy(std::vector<float>{3, 4, 0, 1, 100, 100, 100, 100}, prompt.values<float>().begin());
  put(folder.path(), prompt, 2);
  const auto facts = inspect_adapter(folder.path(), std::nullopt, 5);
  CHECK(facts["peft_type"] == "PROMPT_TUNING");
  CHECK(facts["task_type"] == "SEQ_2_SEQ_LM");
  CHECK(facts["num_virtual_tokens"] == 2);
  CHECK(facts["num_transformer_submodules"] == 2);
  CHECK(facts["rows"] == 4);
  CHECK(facts["width"] == 2);
  CHECK(facts["trainable"] == 8);
  CHECK(facts["used"] == 4);
  CHECK(facts["resumable"] == false);
  CHECK(facts["norm"]["min"].get<double>() == doctest::Approx(1));
  CHECK(facts["norm"]["mean"].get<double>() == doctest::Approx(3));
  CHECK(facts["norm"]["max"].get<double>() == doctest::Approx(5));
  REQUIRE(facts["prompt"].size() == 2);
  CHECK(facts["prompt"][0]["mean"].get<double>() == doctest::Approx(3.5));
  CHECK(facts["prompt"][0]["std"].get<double>() == doctest::Approx(0.5));
  CHECK(!facts["prompt"][0].contains("neighbours"));
  CHECK(!facts.contains("task"));
  CHECK(!facts.contains("trainable_percent"));
  CHECK(facts["warnings"].empty());
}

TEST_CASE("inspection: lists the files with their sizes, the task and whether training can go on") {
  const TemporaryFolder folder;
  put(folder.path(), Tensor(Dtype::f32, {1, 2}), 1);
  TextTask{.input = "say: {text}", .labels = "0=a,1=b"}.write(folder.path());
  folder.write("trainer_state.safetensors", "12345");
  const auto facts = inspect_adapter(folder.path(), std::nullopt, 5);
  CHECK(facts["resumable"] == true);
  CHECK(facts["task"]["input"] == "say: {text}");
  CHECK(facts["task"]["labels"] == "0=a,1=b");
  std::vector<std::string> names;
  for (const auto& [name, size] : facts["files"].items()) names.push_back(name);
  CHECK(names ==
        std::vector<std::string>{"adapter_config.json", "adapter_model.safetensors", "preamble_task.json", "trainer_state.safetensors"});
  CHECK(facts["files"]["trainer_state.safetensors"] == 5);
}

TEST_CASE("inspection: with a model, its share of the parameters and the nearest words of each row") {
  const ModelFolder model;
  const TemporaryFolder folder;
  put(folder.path(), words_of(model.path(), {5, 100}, 3), 2);
  const auto facts = inspect_adapter(folder.path(), model.path(), 3);
  const std::int64_t all = facts["parameters"];
  std::int64_t backbone = 0;
  const auto opened = open_encoder_decoder(model.path());
  for (const auto& [name, tensor] : opened->parameters().loaded()) backbone += tensor.count();
  CHECK(all == backbone + 2 * kWidth);
  CHECK(facts["trainable_percent"].get<double>() == doctest::Approx(100.0 * 2 * kWidth / static_cast<double>(all)));
  CHECK(facts["vocabulary_norm"]["max"].get<double>() >= facts["norm"]["max"].get<double>() / 3 - 1e-6);
  REQUIRE(facts["prompt"][0]["neighbours"].size() == 3);
  CHECK(facts["prompt"][0]["neighbours"][0]["id"] == 5);
  CHECK(facts["prompt"][0]["neighbours"][0]["token"] == "sea");
  CHECK(facts["prompt"][0]["neighbours"][0]["cosine"].get<double>() == doctest::Approx(1));
  CHECK(facts["prompt"][1]["neighbours"][0]["token"] == "<no token 100>");
}

TEST_CASE("inspection: without neighbours no tokenizer is wanted") {
  const TemporaryFolder folder;
  put(folder.path(), Tensor(Dtype::f32, {1, kWidth}), 1);
  CHECK(!inspect_adapter(folder.path(), golden("t5-v10/model"), 0)["prompt"][0].contains("neighbours"));
  // a folder without a tokenizer: the other facts are told
  CHECK(inspect_adapter(folder.path(), golden("t5-v10/model"), 1)["prompt"][0]["neighbours"].empty());
  CHECK_THROWS_WITH_AS((void)inspect_adapter(folder.path(), std::nullopt, -1),
                       "inspection: -1 neighbours were asked for; wanted none or more", ConfigError);
}

TEST_CASE("inspection: a prefix is described, and has no neighbours") {
  const TemporaryFolder folder;
  put(folder.path(), Tensor(Dtype::f32, {3, 128}), 3, PeftType::prefix_tuning);
  const auto facts = inspect_adapter(folder.path(), golden("t5-v10/model"), 5);
  CHECK(facts["peft_type"] == "PREFIX_TUNING");
  CHECK(facts["num_virtual_tokens"] == 3);
  CHECK(facts["trainable"] == 384);
  CHECK(!facts["prompt"][0].contains("neighbours"));
  CHECK(facts["warnings"] == nlohmann::ordered_json{"a prefix holds keys and values of layers: it has no neighbours among embeddings"});
}

TEST_CASE("inspection: a prompt that does not fit the model is an error, an odd folder a warning") {
  const TemporaryFolder folder;
  put(folder.path(), Tensor(Dtype::f32, {1, 8}), 1);
  CHECK_THROWS_WITH_AS(
      (void)inspect_adapter(folder.path(), golden("t5-v10/model"), 0),
      (folder.path().string() + ": a prompt 8 wide; the model's embeddings are 32 wide (the prompt belongs to 'small')").c_str(),
      FileError);
  const TemporaryFolder prefix;
  put(prefix.path(), Tensor(Dtype::f32, {3, 120}), 3, PeftType::prefix_tuning);
  CHECK_THROWS_WITH_AS((void)inspect_adapter(prefix.path(), golden("t5-v10/model"), 0),
                       ((prefix.path() / "adapter_model.safetensors").string() +
                        ": 'prompt_embeddings': rows 120 wide; wanted 128 (2 layers, 2, token_dim 32)")
                           .c_str(),
                       FileError);
  folder.write("adapter_config.json", R"({"peft_type":"PROMPT_TUNING","task_type":"CAUSAL_LM","rank":8})");
  CHECK(inspect_adapter(folder.path(), std::nullopt, 0)["warnings"].size() == 1);
}

TEST_CASE("inspection: a native prefix says its sites, layers and norms, with a model and without") {
  const TemporaryFolder folder;
  const auto model = golden("gpt2/model");
  Tensor key(Dtype::f32, {1, 4, 2, 8});
  std::ranges::fill(key.values<float>(), 2.0F);
  NativePrefix prefix;
  prefix.shifted = true;
  prefix.slot.emplace(Site::decoder_self, SitePrefixTable{KeysAndValues{key, Tensor(Dtype::f32, {1, 4, 2, 8})}, 4, 8, {{2, 0}}, "decoder_self."});
  prefix.write(folder.path());
  TextTask{.input = "{a}", .target = "{b}"}.write(folder.path());
  const auto facts = inspect_adapter(folder.path(), std::nullopt, 5);
  CHECK(facts["format"] == "native prefix");
  CHECK(facts["positions"] == "shifted");
  CHECK(facts["trainable"] == 128);
  CHECK(facts["resumable"] == false);
  CHECK(facts["task"]["target"] == "{b}");
  const auto& site = facts["sites"]["decoder_self"];
  CHECK(site["layers"] == std::vector<int>{2});
  CHECK(site["num_virtual_tokens"] == 2);
  CHECK(site["heads"] == 4);
  CHECK(site["key_norm"]["mean"].get<double>() == doctest::Approx(2 * std::sqrt(8.0)));
  CHECK(site["value_norm"]["max"] == 0);
  CHECK(!facts.contains("parameters"));
  const auto with_model = inspect_adapter(folder.path(), model, 5);
  CHECK(with_model["parameters"].get<std::int64_t>() > 128);
  CHECK(with_model["sites"] == facts["sites"]);
  CHECK_THROWS_AS((void)inspect_adapter(folder.path(), golden("t5-v11/model"), 5), FileError);
}

}  // namespace inspection_test
