#include "data/tensor_file.h"

#include <cstddef>
#include <utility>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_folder.h"

namespace tensor_file_test {

using namespace preamble;

namespace {

TensorRecord record(std::string name, const std::byte* data, Dims dims, Dims strides = {}) {
  return {.name = std::move(name),
          .dtype_name = "U8",
          .dtype = Dtype::u8,
          .dims = std::move(dims),
          .strides = std::move(strides),
          .data = data};
}

}  // namespace

TEST_CASE("tensor_file: records are found by name, whatever their order") {
  testing::TemporaryFolder folder;
  const auto map = MappedFile::open(folder.write("f", "abcdef"));
  const auto* data = map->bytes().data();
  const TensorFile file(map, {record("z", data, {2}), record("a", data + 2, {2, 2}, {1, 2})}, {{"k", "v"}});
  CHECK(file.names() == std::vector<std::string>{"a", "z"});
  CHECK(file.contains("z"));
  CHECK_FALSE(file.contains("y"));
  CHECK(file.dims("a") == Dims{2, 2});
  CHECK(file.dtype_name("a") == "U8");
  CHECK(file.metadata().at("k") == "v");
  CHECK(file.path() == folder.path() / "f");
  CHECK_FALSE(file.get("z").writable());
  const Tensor transposed = file.get("a");
  const auto values = transposed.values<std::uint8_t>();
  CHECK(std::string(values.begin(), values.end()) == "cedf");
  CHECK_THROWS_WITH_AS(static_cast<void>(file.dtype("y")), doctest::Contains("has no tensor 'y'; it holds 2"), FileError);
}

TEST_CASE("tensor_file: a tensor outlives its file object") {
  testing::TemporaryFolder folder;
  const Tensor tensor = [&] {
    auto map = MappedFile::open(folder.write("f", "abc"));
    const auto* data = map->bytes().data();
    return TensorFile(std::move(map), {record("t", data, {3})}).get("t");
  }();
  CHECK(tensor.values<std::uint8_t>()[2] == 'c');
}

TEST_CASE("tensor_file: the same name twice is refused") {
  testing::TemporaryFolder folder;
  const auto map = MappedFile::open(folder.write("f", "abc"));
  const auto* data = map->bytes().data();
  CHECK_THROWS_WITH_AS(TensorFile(map, {record("t", data, {1}), record("t", data, {2})}),
                       doctest::Contains("tensor 't' is there twice; wanted each name once"), FileError);
}

}  // namespace tensor_file_test
