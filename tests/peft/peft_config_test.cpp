#include "peft/peft_config.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/core/file.h"
#include "tests/support/temporary_folder.h"

namespace peft_config_test {

using namespace preamble;
using preamble::testing::TemporaryFolder;

namespace {

constexpr const char* kFile = "adapter_config.json";

PeftConfig parse(const TemporaryFolder& folder, std::string_view json, std::vector<std::string>* warnings = nullptr) {
  folder.write(kFile, json);
  return PeftConfig::read(
      folder.path(), warnings == nullptr ? Warn() : [warnings](const std::string& text) { warnings->push_back(text); });
}

}  // namespace

TEST_CASE("peft config: the smallest file that PEFT accepts leaves the rest to the model") {
  const TemporaryFolder folder;
  std::vector<std::string> warnings;
  const auto config = parse(folder, R"({"peft_type":"PROMPT_TUNING","task_type":"CAUSAL_LM","num_virtual_tokens":20})", &warnings);
  CHECK(config.peft_type == PeftType::prompt_tuning);
  CHECK(config.task_type == "CAUSAL_LM");
  CHECK(config.num_virtual_tokens == 20);
  CHECK(!config.token_dim);
  CHECK(config.submodules() == 1);
  CHECK(warnings.empty());
}

TEST_CASE("peft config: encoder-decoders have two submodules unless the file says otherwise, prefixes one") {
  const TemporaryFolder folder;
  CHECK(parse(folder, R"({"peft_type":"P_TUNING","task_type":"SEQ_2_SEQ_LM"})").submodules() == 2);
  CHECK(parse(folder, R"({"peft_type":"P_TUNING","task_type":"SEQ_2_SEQ_LM","num_transformer_submodules":1})").submodules() == 1);
  CHECK(parse(folder, R"({"peft_type":"PREFIX_TUNING","task_type":"SEQ_2_SEQ_LM","num_transformer_submodules":2})").submodules() == 1);
}

TEST_CASE("peft config: null counts as absent, and repeated modules are one") {
  const TemporaryFolder folder;
  const auto config = parse(folder, R"({"peft_type":"PROMPT_TUNING","task_type":"SEQ_CLS","token_dim":null,"prompt_tuning_init":null,
    "modules_to_save":["score","classifier","score","classifier"]})");
  CHECK(!config.token_dim);
  CHECK(config.prompt_tuning_init == "RANDOM");
  CHECK(config.modules_to_save == std::vector<std::string>{"classifier", "score"});
}

TEST_CASE("peft config: what is unknown or odd is a warning") {
  const TemporaryFolder folder;
  std::vector<std::string> warnings;
  const auto config =
      parse(folder, R"({"peft_type":"PROMPT_TUNING","prompt_tuning_init":"TEXT","peft_version":"0.21.0","inference_mode":true,
    "init_lora":1,"preamble_mode":"native"})",
            &warnings);
  const std::string file = (folder.path() / kFile).string();
  CHECK(warnings == std::vector<std::string>{file + ": prompt_tuning_init is TEXT without the text or the tokenizer; PEFT refuses the file",
                                             file + ": key 'init_lora' is none of PROMPT_TUNING; it is ignored",
                                             file + ": task_type is absent; PEFT would load the prompt and not use it"});
  CHECK(config.extra.at("preamble_mode") == "native");
}

TEST_CASE("peft config: rejects what is no prompt adapter, with what was wanted") {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / kFile).string();
  CHECK_THROWS_WITH_AS((void)PeftConfig::read(folder.path()), (file + ": cannot open: No such file or directory").c_str(), FileError);
  CHECK_THROWS_WITH_AS(parse(folder, R"({"peft_type":"IA3"})"),
                       (file + ": peft_type is 'IA3'; wanted PROMPT_TUNING, PREFIX_TUNING, P_TUNING or LORA").c_str(), UnsupportedError);
  CHECK_THROWS_WITH_AS(parse(folder, "{}"), (file + ": field 'peft_type' is missing; wanted a string").c_str(), FileError);
  CHECK_THROWS_WITH_AS(parse(folder, "[1]"), (file + ": holds an array of 1; wanted an object").c_str(), FileError);
  CHECK_THROWS_AS(parse(folder, R"({"peft_type":"PROMPT_TU)"), FileError);
  CHECK_THROWS_WITH_AS(
      parse(folder, R"({"peft_type":"PROMPT_TUNING","task_type":"SUMMARY"})"),
      (file + ": task_type is 'SUMMARY'; wanted one of SEQ_CLS, SEQ_2_SEQ_LM, CAUSAL_LM, TOKEN_CLS, QUESTION_ANS, FEATURE_EXTRACTION")
          .c_str(),
      FileError);
  CHECK_THROWS_WITH_AS(parse(folder, R"({"peft_type":"PROMPT_TUNING","num_virtual_tokens":0})"),
                       (file + ": field 'num_virtual_tokens' is 0; wanted a number from 1 to 16777216").c_str(), FileError);
  CHECK_THROWS_WITH_AS(parse(folder, R"({"peft_type":"PROMPT_TUNING","token_dim":9223372036854775807})"),
                       (file + ": field 'token_dim' is 9223372036854775807; wanted a number from 1 to 16777216").c_str(), FileError);
  CHECK_THROWS_WITH_AS(parse(folder, R"({"peft_type":"PROMPT_TUNING","num_virtual_tokens":"5"})"),
                       (file + ": field 'num_virtual_tokens' is \"5\"; wanted an integer").c_str(), FileError);
  CHECK_THROWS_WITH_AS(parse(folder, R"({"peft_type":"PROMPT_TUNING","prompt_tuning_init":"WORDS"})"),
                       (file + ": prompt_tuning_init is 'WORDS'; wanted one of RANDOM, TEXT, SAMPLE_VOCAB").c_str(), FileError);
}

TEST_CASE("peft config: the written file has PEFT's form") {
  const TemporaryFolder folder;
  PeftConfig config;
  config.task_type = "SEQ_2_SEQ_LM";
  config.base_model_name_or_path = "mod\u00e8le";
  config.num_virtual_tokens = 5;
  config.token_dim = 32;
  config.num_transformer_submodules = 1;
  config.num_attention_heads = 4;
  config.num_layers = 2;
  config.write(folder.path());
  CHECK(read_text(folder.path() / kFile) == R"({
  "auto_mapping": null,
  "base_model_name_or_path": "mod\u00e8le",
  "inference_mode": true,
  "num_attention_heads": 4,
  "num_layers": 2,
  "num_transformer_submodules": 1,
  "num_virtual_tokens": 5,
  "peft_type": "PROMPT_TUNING",
  "prompt_tuning_init": "RANDOM",
  "prompt_tuning_init_text": null,
  "revision": null,
  "task_type": "SEQ_2_SEQ_LM",
  "token_dim": 32,
  "tokenizer_name_or_path": null
})");
}

TEST_CASE("peft config: the initialisation is written as TEXT only with all that PEFT wants for it") {
  const TemporaryFolder folder;
  PeftConfig config;
  const auto written = [&] {
    config.write(folder.path());
    return nlohmann::json::parse(read_text(folder.path() / kFile));
  };
  config.prompt_tuning_init = "TEXT";
  config.prompt_tuning_init_text = "is it good?";
  CHECK(written()["prompt_tuning_init"] == "RANDOM");
  CHECK(written()["prompt_tuning_init_text"].is_null());
  config.tokenizer_name_or_path = "";
  CHECK(written()["prompt_tuning_init"] == "RANDOM");
  config.tokenizer_name_or_path = "t5-small";
  CHECK(written()["prompt_tuning_init"] == "TEXT");
  CHECK(written()["prompt_tuning_init_text"] == "is it good?");
  CHECK(written()["tokenizer_name_or_path"] == "t5-small");
  config.prompt_tuning_init = "SAMPLE_VOCAB";
  CHECK(written()["prompt_tuning_init"] == "RANDOM");
}

TEST_CASE("peft config: what is written reads back, for each type") {
  const TemporaryFolder folder;
  for (const auto type : {PeftType::prompt_tuning, PeftType::prefix_tuning, PeftType::p_tuning}) {
    PeftConfig config;
    config.peft_type = type;
    config.task_type = "SEQ_CLS";
    config.num_virtual_tokens = 3;
    config.modules_to_save = {"classifier"};
    config.extra = {{"preamble_mode", "native"}};
    if (type != PeftType::prompt_tuning) config.encoder_hidden_size = 16;
    config.prefix_projection = type == PeftType::prefix_tuning;
    if (type == PeftType::p_tuning)
      config.encoder_reparameterization_type = "LSTM", config.encoder_num_layers = 3, config.encoder_dropout = 0.1;
    config.write(folder.path());
    std::vector<std::string> warnings;
    const auto read = PeftConfig::read(folder.path(), [&](const std::string& text) { warnings.push_back(text); });
    CHECK(warnings.empty());
    CHECK(read.peft_type == type);
    CHECK(read.num_virtual_tokens == 3);
    CHECK(read.modules_to_save == config.modules_to_save);
    CHECK(read.extra == config.extra);
    CHECK(read.encoder_hidden_size == config.encoder_hidden_size);
    CHECK(read.prefix_projection == config.prefix_projection);
    CHECK(read.encoder_reparameterization_type == config.encoder_reparameterization_type);
    CHECK(read.encoder_num_layers == config.encoder_num_layers);
    CHECK(read.encoder_dropout == config.encoder_dropout);
  }
}

TEST_CASE("peft config: LoRA, its scale, and kinds of it that are not built in") {
  const TemporaryFolder folder;
  const PeftConfig plain = parse(folder, R"({"peft_type":"LORA","r":16,"lora_alpha":8,"lora_dropout":0.1,"target_modules":["q","v"],
    "bias":"none","use_dora":false,"rank_pattern":{},"init_lora_weights":true,"task_type":"CAUSAL_LM"})");
  CHECK(plain.lora == LoraConfig{.r = 16, .alpha = 8, .dropout = 0.1, .target_modules = {"q", "v"}});
  CHECK(plain.lora.scale() == 0.5);
  const PeftConfig rooted = parse(folder, R"({"peft_type":"LORA","r":16,"lora_alpha":8,"use_rslora":true,"target_modules":"all-linear"})");
  CHECK(rooted.lora.scale() == 2);
  CHECK(rooted.lora.target_is_pattern);
  rooted.write(folder.path());
  CHECK(PeftConfig::read(folder.path()).lora == rooted.lora);
  const std::string file = (folder.path() / "adapter_config.json").string();
  CHECK_THROWS_WITH_AS(parse(folder, R"({"peft_type":"LORA","use_dora":true})"),
                       (file + ": field 'use_dora' is true; wanted a plain LORA without it").c_str(), UnsupportedError);
  CHECK_THROWS_WITH_AS(parse(folder, R"({"peft_type":"LORA","bias":"all"})"), (file + ": field 'bias' is 'all'; wanted none").c_str(),
                       UnsupportedError);
  CHECK_THROWS_AS(parse(folder, R"({"peft_type":"LORA","r":0})"), FileError);
  CHECK_THROWS_WITH_AS(parse(folder, R"({"peft_type":"LORA","init_lora_weights":"pissa_niter_4"})"), doctest::Contains("'pissa_niter_4'"),
                       UnsupportedError);
}

TEST_CASE("peft config: a LoRA's file may say on which layers it was put, and keys that nothing reads are warnings") {
  const TemporaryFolder folder;
  std::vector<std::string> warnings;
  const auto config = parse(folder, R"({"peft_type":"LORA","r":4,"target_modules":["q"],"layers_to_transform":[0,2],"exclude_modules":["v"],
    "init_lora_weights":"gaussian","megatron_core":"megatron.core","qalora_group_size":16,"use_bdlora":null,"revision":null,"future":0.5})",
                            &warnings);
  CHECK(config.lora.r == 4);
  CHECK(warnings == std::vector<std::string>{(folder.path() / kFile).string() + ": key 'future' is none of LORA; it is ignored"});
}

}  // namespace peft_config_test
