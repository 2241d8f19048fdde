#include "data/safetensors.h"

#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/data/torch_builder.h"
#include "tests/support/temporary_folder.h"

namespace safetensors_test {

using namespace preamble;
using testing::floats;
using testing::little;

namespace {

std::string file_of(const std::string& header, const std::string& data) { return little(std::uint64_t{header.size()}) + header + data; }

struct Fixture {
  testing::TemporaryFolder folder;
  SafetensorsFile open(const std::string& bytes) { return SafetensorsFile::open(folder.write("f", bytes)); }
  SafetensorsFile open(const std::string& header, const std::string& data) { return open(file_of(header, data)); }
};

}  // namespace

TEST_CASE("safetensors: tensors come back with names, shapes, types and values") {
  Fixture fixture;
  const auto file = fixture.open(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"I32","shape":[],"data_offsets":[8,12]},)"
                                 R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8],"more":{"x":[1,[null]]}}}   )",
                                 floats({1.5F, -2.0F}) + little(std::int32_t{-7}));
  CHECK(file.names() == std::vector<std::string>{"a", "b"});
  CHECK(file.metadata().at("format") == "pt");
  CHECK(file.contains("a"));
  CHECK_FALSE(file.contains("c"));
  CHECK(file.dims("a") == Dims{1, 2});
  CHECK(file.dtype("b") == Dtype::i32);
  CHECK(file.get("a").values<float>()[1] == -2.0F);
  CHECK(file.get("b").values<std::int32_t>()[0] == -7);
  CHECK_THROWS_WITH_AS(static_cast<void>(file.get("c")), doctest::Contains("has no tensor 'c'; it holds 2"), FileError);
}

TEST_CASE("safetensors: aligned tensors are views of the map, others are copies") {
  Fixture fixture;
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  const std::string aligned = header + std::string(8 - header.size() % 8, ' ');
  const Tensor view = fixture.open(aligned, floats({3.0F})).get("a");
  CHECK_FALSE(view.writable());
  CHECK(view.values<float>()[0] == 3.0F);  // the map lives as long as the tensor
  const Tensor copy = fixture.open(aligned + " ", floats({3.0F})).get("a");
  CHECK(copy.writable());
  CHECK(std::as_const(copy).values<float>()[0] == 3.0F);
}

TEST_CASE("safetensors: types without a Dtype may be in the file and are refused by get alone") {
  Fixture fixture;
  const auto file = fixture.open(
      R"({"q":{"dtype":"F4","shape":[2,3],"data_offsets":[0,3]},"r":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[3,5]}})", "abcde");
  CHECK(file.dims("q") == Dims{2, 3});
  CHECK(file.dtype_name("r") == "F8_E4M3");
  CHECK_THROWS_WITH_AS(static_cast<void>(file.get("r")), doctest::Contains("tensor 'r' is F8_E4M3; wanted one of F32"), DtypeError);
}

TEST_CASE("safetensors: empty tensors and empty files are legal") {
  Fixture fixture;
  const auto file =
      fixture.open(R"({"a":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x");
  CHECK(file.get("a").count() == 0);
  CHECK(file.get("a").defined());
  CHECK(fixture.open("{}", "").names().empty());
}

TEST_CASE("safetensors: a layout with holes, overlaps or leftovers is refused") {
  Fixture fixture;
  const auto refuses = [&](const std::string& header, const std::string& data, const char* text) {
    CAPTURE(header);
    CHECK_THROWS_WITH_AS(static_cast<void>(fixture.open(header, data)), doctest::Contains(text), FileError);
  };
  refuses(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "xy", "tensor 'a' begins at byte 1 of the data; wanted 0");
  refuses(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", "xyz",
          "tensor 'b' begins at byte 1 of the data; wanted 2 (no holes, no overlaps)");
  refuses(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "xy", "the tensors end at byte 1 of the data; the file holds 2");
  refuses(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "x",
          "takes bytes [0, 2) of the data; wanted a range inside its 1 bytes");
  refuses(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x",
          "has 0 bytes");
  refuses(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "wxyz", "tensor 'a' has 4 bytes; F32 [2] wants 8");
  refuses(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", "w", "wanted a whole number of bytes");
  refuses(R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", "", "wanted a size below 2^63");
  refuses(R"({"a":{"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0]}})", "", "wanted a size below 2^63");
  refuses(R"({"a":{"dtype":"U8","shape":[4611686018427387904,4,0],"data_offsets":[0,0]}})", "", "wanted a size below 2^63");
}

TEST_CASE("safetensors: the same name twice is refused") {
  Fixture fixture;
  CHECK_THROWS_WITH_AS(
      static_cast<void>(fixture.open(
          R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "xy")),
      doctest::Contains("tensor 'a' is there twice; wanted each name once"), FileError);
}

TEST_CASE("safetensors: a header length that lies is refused before anything is read") {
  Fixture fixture;
  CHECK_THROWS_WITH_AS(static_cast<void>(fixture.open("1234567")), doctest::Contains("ends at byte 7; wanted 8 bytes from byte 0 on"),
                       FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(fixture.open("")), doctest::Contains("ends at byte 0"), FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(fixture.open(little(~std::uint64_t{0}) + "{}")),
                       doctest::Contains("the header claims 18446744073709551615 bytes; wanted at most 100000000"), FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(fixture.open(little(std::uint64_t{3}) + "{}")), doctest::Contains("ends at byte 10"), FileError);
}

}  // namespace safetensors_test
