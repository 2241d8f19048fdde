#include "peft/save_model.h"

#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/safetensors.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/open_model.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace save_model_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

std::unique_ptr<EncoderDecoder> open_trainable(const std::filesystem::path& folder) {
  Parameters::Options options;
  options.frozen = freeze_none;
  return open_encoder_decoder(folder, options);
}

/// A copy of a small model with a config of its own.
struct ModelFolder : TemporaryFolder {
  ModelFolder() {
    for (const auto& entry : std::filesystem::directory_iterator(golden("t5-v10/model"))) {
      write(entry.path().filename().string(), read_text(entry.path()));
    }
  }
  void set(const std::string& key, const nlohmann::ordered_json& value) const {
    auto json = nlohmann::ordered_json::parse(read_text(path() / "config.json"));
    if (value.is_null()) {
      json.erase(key);
    } else {
      json[key] = value;
    }
    write("config.json", json.dump(2));
  }
};

}  // namespace

TEST_CASE("save model: what training changed reads back, though the source was in shards and its head is tied") {
  const ModelFolder source;
  const TemporaryFolder target;
  const auto model = open_trainable(source.path());
  Tensor embedding = model->embedding();
  embedding.values<float>()[7] = 1.2345F;
  save_model_folder(source.path(), target.path() / "new" / "folder", model->parameters());

  const auto saved = open_encoder_decoder(target.path() / "new" / "folder");
  REQUIRE(saved->parameters().loaded().size() == model->parameters().loaded().size());
  for (const auto& [name, tensor] : model->parameters().loaded()) {
    INFO(name);
    CHECK(numbers(saved->parameters().loaded().at(name)) == numbers(tensor));
  }
  const auto file = SafetensorsFile::open(target.path() / "new" / "folder" / "model.safetensors");
  CHECK(!file.contains("lm_head.weight"));
  CHECK(file.metadata() == std::map<std::string, std::string>{{"format", "pt"}});
}

TEST_CASE("save model: files of the tokenizer and of generation come along") {
  const ModelFolder source;
  const TemporaryFolder target;
  source.write("spiece.model", std::string("\0pieces\xFF", 8));
  source.write("generation_config.json", "{}");
  source.write("README.md", "about the model that this is no longer");
  const auto model = open_trainable(source.path());
  save_model_folder(source.path(), target.path(), model->parameters());
  CHECK(read_text(target.path() / "spiece.model") == std::string("\0pieces\xFF", 8));
  CHECK(read_text(target.path() / "generation_config.json") == "{}");
  CHECK(!std::filesystem::exists(target.path() / "README.md"));
  CHECK(!std::filesystem::exists(target.path() / "model.safetensors.index.json"));
}

TEST_CASE("save model: the config says the type of the weights, under the name that it used, and keeps its order") {
  const ModelFolder source;
  const TemporaryFolder target;
  const auto saved = [&] {
    const auto model = open_trainable(source.path());
    save_model_folder(source.path(), target.path(), model->parameters());
    return nlohmann::ordered_json::parse(read_text(target.path() / "config.json"));
  };
  source.set("dtype", "bfloat16");
  auto expected = nlohmann::ordered_json::parse(read_text(source.path() / "config.json"));
  expected["dtype"] = "float32";
  CHECK(saved().dump() == expected.dump());
  source.set("dtype", nullptr);
  source.set("torch_dtype", "float16");
  CHECK(saved()["torch_dtype"] == "float32");
  CHECK(!saved().contains("dtype"));
}

TEST_CASE("save model: equal models are equal bytes") {
  const ModelFolder source;
  const TemporaryFolder target;
  for (const auto* name : {"a", "b"}) save_model_folder(source.path(), target.path() / name, open_trainable(source.path())->parameters());
  for (const auto* name : {"config.json", "model.safetensors"})
    CHECK(read_text(target.path() / "a" / name) == read_text(target.path() / "b" / name));
}

TEST_CASE("save model: the model that was trained is not overwritten") {
  const ModelFolder source;
  const auto model = open_trainable(source.path());
  const auto same = source.path() / ".";
  CHECK_THROWS_WITH_AS(save_model_folder(source.path(), same, model->parameters()),
                       (same.string() + ": it holds the model that was read; wanted another folder").c_str(), FileError);
}

TEST_CASE("save model: a folder that cannot be made is an error") {
  const ModelFolder source;
  const auto model = open_trainable(source.path());
  const auto target = source.write("file", "") / "folder";
  CHECK_THROWS_WITH_AS(save_model_folder(source.path(), target, model->parameters()),
                       (target.string() + ": cannot create the folder: Not a directory").c_str(), FileError);
}

}  // namespace save_model_test
