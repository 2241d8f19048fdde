#include "data/safetensors_writer.h"

#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "data/safetensors.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "tests/data/torch_builder.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

namespace safetensors_writer_test {

using namespace preamble;

namespace {

using Named = std::vector<std::pair<std::string, Tensor>>;

Named all_of(const TensorFile& file) {
  Named result;
  for (const auto& name : file.names()) result.emplace_back(name, file.get(name));
  return result;
}

}  // namespace

TEST_CASE("safetensors_writer: the header is compact, padded, wide types first") {
  testing::TemporaryFolder folder;
  const auto path = folder.path() / "f.safetensors";
  write_safetensors(path, Named{{"a", Tensor(Dtype::boolean, {1})},
                                {"c", tensor_of({2}, std::vector<float>{1, 2})},
                                {"b", Tensor(Dtype::f32, {0, 3})},
                                {"d", Tensor(Dtype::i64, {})}});
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"d":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"F32","shape":[0,3],"data_offsets":[8,8]},"c":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},)"
      R"("a":{"dtype":"BOOL","shape":[1],"data_offsets":[16,17]}})";
  const std::string padding((8 - header.size() % 8) % 8, ' ');
  CHECK(read_text(path) == testing::little(std::uint64_t{header.size() + padding.size()}) + header + padding + std::string(8, '\0') +
                               testing::floats({1, 2}) + std::string(1, '\0'));
}

TEST_CASE("safetensors_writer: names are escaped as the reference writer does") {
  testing::TemporaryFolder folder;
  const auto path = folder.path() / "f.safetensors";
  write_safetensors(path, Named{{"\"\\\n\x01\x7F/\xC3\xA9", Tensor(Dtype::u8, {0})}}, {});
  const std::string start = "{\"\\\"\\\\\\n\\u0001\x7F/\xC3\xA9\":{\"dtype\"";
  CHECK(read_text(path).substr(8, start.size()) == start);
  CHECK(SafetensorsFile::open(path).contains("\"\\\n\x01\x7F/\xC3\xA9"));
  CHECK(SafetensorsFile::open(path).metadata().empty());
}

TEST_CASE("safetensors_writer: files of the reference writer come out byte for byte") {
  testing::TemporaryFolder folder;
  const auto copy = folder.path() / "copy.safetensors";
  for (const auto* name : {"t5-v10/model/model-00001-of-00003.safetensors", "gpt2/model/model.safetensors"}) {
    CAPTURE(name);
    const auto original = testing::golden(name);
    const auto file = SafetensorsFile::open(original);
    write_safetensors(copy, all_of(file), file.metadata());
    CHECK(read_text(copy) == read_text(original));
  }
}

TEST_CASE("safetensors_writer: a file may be replaced by its own tensors") {
  testing::TemporaryFolder folder;
  const auto path = folder.path() / "f.safetensors";
  write_safetensors(path, Named{{"a", tensor_of({2}, std::vector<float>{1, 2})}});
  const auto before = read_text(path);
  write_safetensors(path, all_of(SafetensorsFile::open(path)));
  CHECK(read_text(path) == before);
}

TEST_CASE("safetensors_writer: what no file can hold is refused and leaves nothing behind") {
  testing::TemporaryFolder folder;
  const auto path = folder.path() / "f.safetensors";
  const Tensor tensor(Dtype::f32, {1});
  CHECK_THROWS_WITH_AS(write_safetensors(path, Named{{"a", tensor}, {"a", tensor}}), doctest::Contains("tensor 'a' was given twice"),
                       FileError);
  CHECK_THROWS_WITH_AS(write_safetensors(path, Named{{"__metadata__", tensor}}), doctest::Contains("the name is reserved"), FileError);
  CHECK_THROWS_WITH_AS(write_safetensors(path, Named{{"a", Tensor()}}), doctest::Contains("tensor 'a' is undefined"), FileError);
  CHECK_THROWS_WITH_AS(write_safetensors(path, Named{{"\xFF", tensor}}), doctest::Contains("not valid UTF-8"), FileError);
  CHECK(std::filesystem::is_empty(folder.path()));
}

}  // namespace safetensors_writer_test
