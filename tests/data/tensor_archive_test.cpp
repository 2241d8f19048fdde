#include "data/tensor_archive.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "tests/data/torch_builder.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

namespace tensor_archive_test {

using namespace preamble;

namespace {

using Named = std::vector<std::pair<std::string, Tensor>>;

Tensor number(float value) { return tensor_of({1}, std::vector<float>{value}); }

void refuses(const testing::TemporaryFolder& folder, const std::string& text) {
  CAPTURE(text);
  CHECK_THROWS_WITH_AS(static_cast<void>(TensorArchive(folder.path())), doctest::Contains(text.c_str()), FileError);
}

}  // namespace

TEST_CASE("tensor_archive: shards with an index act as one file") {
  const auto folder = testing::golden("t5-v10/model");
  const TensorArchive archive(folder);
  CHECK(archive.names().size() == 47);
  CHECK(archive.contains("shared.weight"));
  CHECK(archive.dims("shared.weight") == Dims{101, 32});
  CHECK(archive.dtype("shared.weight") == Dtype::f32);
  CHECK(archive.get("shared.weight").bytes() == 101 * 32 * 4);
  CHECK(archive.where("decoder.block.0.layer.0.SelfAttention.k.weight") ==
        (folder / "model-00002-of-00003.safetensors").string() + ": 'decoder.block.0.layer.0.SelfAttention.k.weight'");
  CHECK_THROWS_WITH_AS(static_cast<void>(archive.get("lm_head")), (folder.string() + ": has no tensor 'lm_head'; it holds 47").c_str(),
                       FileError);
}

TEST_CASE("tensor_archive: safetensors come before torch files, whole files before shards") {
  testing::TemporaryFolder folder;
  folder.write("pytorch_model.bin.index.json", R"({"weight_map": {"four": "s.bin"}})");
  const auto pickle =
      testing::pickled::state_dict({{"four", testing::pickled::tensor(testing::pickled::storage("FloatStorage", "0", 1), 0, {1}, {1})}});
  folder.write("s.bin", testing::torch_zip(pickle, {{"0", testing::floats({4})}}));
  CHECK(TensorArchive(folder.path()).names() == std::vector<std::string>{"four"});
  folder.write("pytorch_model.bin", testing::torch_zip(testing::pickled::state_dict({}), {}));
  CHECK(TensorArchive(folder.path()).names().empty());
  folder.write("model.safetensors.index.json", R"({"weight_map": {"two": "s.safetensors"}})");
  write_safetensors(folder.path() / "s.safetensors", Named{{"two", number(2)}, {"unnamed", number(3)}});
  const TensorArchive shards(folder.path());
  CHECK(shards.names() == std::vector<std::string>{"two"});
  CHECK_FALSE(shards.contains("unnamed"));
  write_safetensors(folder.path() / "model.safetensors", Named{{"one", number(1)}});
  CHECK(TensorArchive(folder.path()).names() == std::vector<std::string>{"one"});
}

TEST_CASE("tensor_archive: what wrappers put in front of every name is left out") {
  testing::TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  write_safetensors(file, Named{{"module._orig_mod.b", number(2)}, {"module._orig_mod.a", number(1)}});
  const TensorArchive archive(folder.path());
  CHECK(archive.names() == std::vector<std::string>{"a", "b"});
  CHECK(archive.contains("b"));
  CHECK(archive.dims("b") == Dims{1});
  CHECK(std::as_const(archive).get("b").to(Dtype::f64).values<double>()[0] == 2);
  CHECK(archive.where("a") == file.string() + ": 'module._orig_mod.a'");
  // one name without it is enough: then it belongs to the names
  write_safetensors(file, Named{{"module.a", number(1)}, {"b", number(2)}});
  CHECK(TensorArchive(folder.path()).names() == std::vector<std::string>{"b", "module.a"});
}

TEST_CASE("tensor_archive: what Lightning and PEFT put in front of a body's names is left out, and a body of that name keeps it") {
  testing::TemporaryFolder folder;
  const auto names_of = [&](const std::vector<std::string>& names) {
    Named tensors;
    for (const auto& name : names) tensors.emplace_back(name, number(1));
    write_safetensors(folder.path() / "model.safetensors", tensors);
    return TensorArchive(folder.path()).names();
  };
  using Names = std::vector<std::string>;
  CHECK(names_of({"model.bert.a", "model.cls.b"}) == Names{"bert.a", "cls.b"});
  CHECK(names_of({"model.model.layers.0.a", "model.lm_head.weight"}) == Names{"lm_head.weight", "model.layers.0.a"});
  CHECK(names_of({"model.encoder.block.0.a", "model.shared.weight"}) == Names{"encoder.block.0.a", "shared.weight"});
  CHECK(names_of({"base_model.model.bert.a", "base_model.model.classifier.b"}) == Names{"bert.a", "classifier.b"});
  // a compiled model inside of Lightning's
  CHECK(names_of({"model._orig_mod.encoder.layers.0.a", "model._orig_mod.shared.weight"}) == Names{"encoder.layers.0.a", "shared.weight"});
  CHECK(names_of({"model.encoder.layers.0.a", "model.shared.weight"}) == Names{"model.encoder.layers.0.a", "model.shared.weight"});
  CHECK(names_of({"model.layers.0.a", "model.embed_tokens.weight"}) == Names{"model.embed_tokens.weight", "model.layers.0.a"});
}

TEST_CASE("tensor_archive: a pointer of Git LFS is named as such") {
  testing::TemporaryFolder folder;
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 440473133\n";
  folder.write("pytorch_model.bin", pointer);
  refuses(folder, "pytorch_model.bin: a Git LFS pointer in the place of the file; wanted the file itself");
  folder.write("model.safetensors", pointer);
  refuses(folder, "model.safetensors: a Git LFS pointer in the place of the file; wanted the file itself");
}

TEST_CASE("tensor_archive: adapters have file names of their own") {
  testing::TemporaryFolder folder;
  write_safetensors(folder.path() / "adapter_model.safetensors", Named{{"prompt_embeddings", number(1)}});
  CHECK(TensorArchive(folder.path(), kAdapterFiles).contains("prompt_embeddings"));
}

TEST_CASE("tensor_archive: a folder without weights says what was looked for") {
  testing::TemporaryFolder folder;
  refuses(folder, folder.path().string() +
                      ": has no weights; wanted one of model.safetensors, model.safetensors.index.json, pytorch_model.bin, "
                      "pytorch_model.bin.index.json");
  CHECK_THROWS_WITH_AS(static_cast<void>(TensorArchive(folder.path() / "nowhere")), doctest::Contains("not a folder"), FileError);
}

TEST_CASE("tensor_archive: an index that lies is refused") {
  testing::TemporaryFolder folder;
  write_safetensors(folder.path() / "s.safetensors", Named{{"a", number(1)}});
  const auto index = [&](const std::string& text) { folder.write("model.safetensors.index.json", text); };
  index(R"({"weight_map": {"a": "s.safetensors", "b": "s.safetensors"}})");
  refuses(folder, "model.safetensors.index.json: says that 'b' is in 's.safetensors'; it is not");
  index(R"({"weight_map": {"a": "gone.safetensors"}})");
  refuses(folder, "names the shard 'gone.safetensors'; it is not in the folder (is the download complete?)");
  for (const auto* shard : {"../s.safetensors", "/etc/passwd", "..", ".", "", "a\\\\b", "s.safetensors\\u0000x"}) {
    CAPTURE(shard);
    index(std::string(R"({"weight_map": {"a": ")") + shard + "\"}}");
    refuses(folder, "wanted the name of a file in the same folder");
  }
  index(R"({"weight_map": {"a": 1}})");
  refuses(folder, "model.safetensors.index.json: field 'weight_map' is an object; wanted an object of strings");
  index("{}");
  refuses(folder, "field 'weight_map' is missing");
}

}  // namespace tensor_archive_test
