#include "models/open_model.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "engine/core/warnings.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

namespace open_model_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Writes the model of `from` with other names of its tensors to `to`; `name_of` gives an empty name to a tensor that is left out. `more`
/// come before them.
template <class NameOf>
void copy_model(const std::filesystem::path& from, const std::filesystem::path& to, const NameOf& name_of,
                std::vector<std::pair<std::string, Tensor>> more = {}) {
  std::filesystem::copy_file(from / "config.json", to / "config.json");
  const auto stored = SafetensorsFile::open(from / "model.safetensors");
  for (const auto& name : stored.names()) {
    if (const std::string now = name_of(name); !now.empty()) more.emplace_back(now, stored.get(name));
  }
  write_safetensors(to / "model.safetensors", more);
}

}  // namespace

TEST_CASE("open_encoder_decoder: opens what config.json names") {
  const auto model = open_encoder_decoder(golden("t5-v10/model"));
  CHECK(model->vocabulary() == 101);
  CHECK(model->pad_id() == 0);
  CHECK(model->decoder_start_id() == 0);
}

TEST_CASE("open_model: opens models of every family, and an encoder-decoder only where one is wanted") {
  CHECK(open_model(golden("t5-v10/model"))->vocabulary() == 101);
  CHECK(open_model(golden("bart/model"))->vocabulary() == 103);
  CHECK(open_model(golden("gpt2/model"))->vocabulary() == 97);
  for (const auto* encoder : {"bert", "roberta", "xlm-roberta", "distilbert", "electra", "deberta-v2"}) {
    CAPTURE(encoder);
    const auto folder = golden(std::string(encoder) + "/model");
    CHECK(open_encoder(folder)->vocabulary() == open_model(folder)->vocabulary());
  }
  for (const auto* both : {"mt5", "umt5"}) CHECK(open_encoder_decoder(golden(std::string(both) + "/model"))->vocabulary() == 37);
  const std::string config = (golden("gpt2/model") / "config.json").string();
  CHECK_THROWS_WITH_AS((void)open_encoder_decoder(golden("gpt2/model")),
                       (config + ": model_type is 'gpt2'; wanted one of bart, mt5, t5, umt5").c_str(), UnsupportedError);
}

TEST_CASE("open_model: a config without model_type is read by its class") {
  for (const auto& [path, name] : {std::pair("bert/model", "BertForMaskedLM"), std::pair("xlm-roberta/model", "XLMRobertaModel"),
                                   std::pair("umt5/model", "UMT5ForConditionalGeneration"), std::pair("gpt2/model", "GPT2LMHeadModel"),
                                   std::pair("qwen2/model-window", "Qwen2ForCausalLM"), std::pair("qwen3/model", "Qwen3ForCausalLM"),
                                   std::pair("gemma/model", "GemmaForCausalLM")}) {
    CAPTURE(path);
    const auto model = golden(path);
    TemporaryFolder folder;
    std::filesystem::copy_file(model / "model.safetensors", folder.path() / "model.safetensors");
    auto config = nlohmann::json::parse(read_text(model / "config.json"));
    config.erase("model_type");
    config["architectures"] = {name};
    folder.write("config.json", config.dump());
    const WarningCapture capture;
    CHECK(open_model(folder.path())->vocabulary() == open_model(model)->vocabulary());
    // parameters that another family lacks would be ignored
    CHECK(capture.messages().empty());
    config["architectures"] = {"Gemma7ForCausalLM"};
    folder.write("config.json", config.dump());
    CHECK_THROWS_WITH_AS((void)open_model(folder.path()),
                         doctest::Contains("no 'model_type', and the class 'Gemma7ForCausalLM' is not known"), FileError);
    config.erase("architectures");
    folder.write("config.json", config.dump());
    CHECK_THROWS_WITH_AS((void)open_model(folder.path()), doctest::Contains("field 'model_type' is missing; wanted a string"), FileError);
  }
}

TEST_CASE("open_encoder: a tied table may stand under the name of the masked-LM head's decoder alone") {
  const auto model = golden("roberta/model");
  TemporaryFolder folder;
  const std::string words = "roberta.embeddings.word_embeddings.weight", head = "lm_head.decoder.weight";
  REQUIRE(SafetensorsFile::open(model / "model.safetensors").contains(words));
  copy_model(model, folder.path(), [&](const std::string& name) { return name == words ? head : name == head ? "" : name; });
  const WarningCapture capture;
  const auto found = open_encoder(folder.path())->embedding().to(Dtype::f64);
  const auto wanted = open_encoder(model)->embedding().to(Dtype::f64);
  CHECK(std::ranges::equal(std::as_const(found).values<double>(), std::as_const(wanted).values<double>()));
  CHECK(capture.messages().empty());
}

TEST_CASE("open_model: GPT-NeoX's head has another name in files of today's transformers") {
  const auto model = golden("gpt_neox/model");
  TemporaryFolder folder;
  copy_model(model, folder.path(), [](const std::string& name) { return name == "embed_out.weight" ? "lm_head.weight" : name; });
  const WarningCapture capture;
  CHECK(open_model(folder.path())->parameters().loaded().contains("lm_head.weight"));
  CHECK(open_model(model)->parameters().loaded().contains("embed_out.weight"));
  CHECK(capture.messages().empty());
}

TEST_CASE("open_encoder: a decoder's heads are read later, other tensors that it does not know are named") {
  const auto model = golden("gpt2/model");
  TemporaryFolder folder;
  copy_model(model, folder.path(), [](const std::string& name) { return name; },
             {{"score.weight", Tensor(Dtype::f32, {2, 3})}, {"values.weight", Tensor(Dtype::f32, {1})}});
  const std::string file = (folder.path() / "model.safetensors").string();
  const auto warnings = [&](const auto& open) {
    const WarningCapture capture;
    (void)open(folder.path());
    return capture.messages();
  };
  CHECK(warnings([](const auto& path) { return open_encoder(path); }) ==
        std::vector<std::string>{file + ": 1 of its tensors is not part of this model and is ignored: values.weight"});
  CHECK(warnings([](const auto& path) { return open_model(path); }) ==
        std::vector<std::string>{file + ": 2 of its tensors are not part of this model and are ignored: score.weight, values.weight"});
}

TEST_CASE("open_model: a head that is not tied and not there is said to be the embedding, unless it is not read") {
  TemporaryFolder folder;
  std::filesystem::copy_file(golden("gpt2/model") / "model.safetensors", folder.path() / "model.safetensors");
  auto config = nlohmann::json::parse(read_text(golden("gpt2/model") / "config.json"));
  config["tie_word_embeddings"] = false;
  folder.write("config.json", config.dump());
  const WarningCapture capture;
  (void)open_encoder(folder.path());
  CHECK(capture.messages().empty());
  (void)open_model(folder.path());
  REQUIRE(capture.messages().size() == 1);
  CHECK(capture.messages().front() ==
        folder.path().string() +
            ": no 'lm_head.weight', and config.json does not say tie_word_embeddings: true; the embedding serves as head "
            "(transformers makes a random one)");
}

TEST_CASE("open_encoder_decoder: says which model it does not know, and which file is missing") {
  TemporaryFolder folder;
  const std::string config = folder.write("config.json", R"({"model_type": "mamba"})").string();
  CHECK_THROWS_WITH_AS((void)open_encoder_decoder(folder.path()),
                       (config + ": model_type is 'mamba'; wanted one of bart, mt5, t5, umt5").c_str(), UnsupportedError);
  CHECK_THROWS_AS((void)open_encoder_decoder(folder.path() / "nowhere"), FileError);
  TemporaryFolder weightless;
  weightless.write("config.json", R"({"model_type": "t5"})");
  CHECK_THROWS_AS((void)open_encoder_decoder(weightless.path()), FileError);
}

}  // namespace open_model_test
