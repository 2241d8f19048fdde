#include "data/safetensors_header.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace safetensors_header_test {

using namespace preamble;

namespace {

void refuses(std::string_view json, const char* text) {
  CAPTURE(json);
  CHECK_THROWS_WITH_AS(static_cast<void>(parse_safetensors_header(json, "f")), text, FileError);
}

}  // namespace

TEST_CASE("safetensors_header: entries keep the order of the file, in whatever order their fields come") {
  const auto header = parse_safetensors_header(
      R"({"b":{"data_offsets":[4,6],"shape":[1],"dtype":"BF16"},"a":{"dtype":"F8_E5M2","shape":[2,2],"data_offsets":[0,4]}})", "f");
  REQUIRE(header.entries.size() == 2);
  CHECK(header.entries[0].name == "b");
  CHECK(header.entries[0].dtype.dtype == Dtype::bf16);
  CHECK(header.entries[0].begin == 4);
  CHECK(header.entries[0].end == 6);
  CHECK(header.entries[1].dtype.bits == 8);
  CHECK_FALSE(header.entries[1].dtype.dtype.has_value());
  CHECK(header.entries[1].dims == Dims{2, 2});
}

TEST_CASE("safetensors_header: unknown fields are ignored, however deep") {
  const std::string deep = std::string(5000, '[') + std::string(5000, ']');
  const auto header = parse_safetensors_header(R"({"a":{"x":{"dtype":"no","shape":-1,"y":)" + deep +
                                                   R"(},"dtype":"U8","z":null,"shape":[3],"w":-1.5,"data_offsets":[0,3],"v":"s"}})",
                                               "f");
  REQUIRE(header.entries.size() == 1);
  CHECK(header.entries[0].dims == Dims{3});
}

TEST_CASE("safetensors_header: what is not the format is refused by name") {
  refuses("", "f: header does not begin with '{'; wanted a safetensors file");
  refuses(" {}", "f: header does not begin with '{'; wanted a safetensors file");
  refuses("{}\n", "f: header ends with byte 0x0a; wanted '}' and spaces");
  refuses("{\"a\":}", "f: header is not valid JSON at byte 6; wanted an object of tensors");
  refuses(R"({"a":1e999})", "f: header is not valid JSON at byte 10; wanted an object of tensors");
  refuses("{}{}", "f: header is not valid JSON at byte 3; wanted an object of tensors");
  refuses("{\"\xFF\":{}}", "f: header is not valid JSON at byte 3; wanted an object of tensors");
  refuses(R"({"a":1})", "f: header, 'a': 1 was given; wanted an object with dtype, shape and data_offsets");
  refuses(R"({"a":[]})", "f: header, 'a': an array was given; wanted an object with dtype, shape and data_offsets");
  refuses(R"({"a":{}})", "f: header, 'a': no dtype was given; wanted dtype, shape and data_offsets");
  refuses(R"({"a":{"dtype":"F32","shape":[]}})", "f: header, 'a': no data_offsets was given; wanted dtype, shape and data_offsets");
  refuses(R"({"a":{"dtype":"F31"}})", "f: header, 'a', field 'dtype': 'F31' was given; wanted a type of the format");
  refuses(R"({"a":{"dtype":32}})", "f: header, 'a', field 'dtype': 32 was given; wanted a string");
  refuses(R"({"a":{"dtype":"U8","dtype":"U8"}})", "f: header, 'a', field 'dtype': a second value was given; wanted each field once");
  refuses(R"({"a":{"shape":3}})", "f: header, 'a', field 'shape': 3 was given; wanted an array");
  refuses(R"({"a":{"shape":[-1]}})", "f: header, 'a', field 'shape': -1 was given; wanted whole numbers, none below zero");
  refuses(R"({"a":{"shape":[1.0]}})", "f: header, 'a', field 'shape': 1.0 was given; wanted whole numbers, none below zero");
  refuses(R"({"a":{"shape":[18446744073709551615]}})",
          "f: header, 'a', field 'shape': 18446744073709551615 was given; wanted a dimension below 2^63");
  refuses(R"({"a":{"shape":[18446744073709551616]}})",
          "f: header, 'a', field 'shape': 18446744073709551616 was given; wanted whole numbers, none below zero");
  refuses(R"({"a":{"shape":[[1]]}})", "f: header, 'a', field 'shape': an array was given; wanted whole numbers, none below zero");
  refuses(R"({"a":{"data_offsets":[0]}})", "f: header, 'a', field 'data_offsets': an array of 1 was given; wanted two whole numbers");
  refuses(R"({"a":{"data_offsets":[0,1,2]}})", "f: header, 'a', field 'data_offsets': 2 was given; wanted two whole numbers");
  refuses(R"({"__metadata__":{"a":1}})", "f: header, '__metadata__', field 'a': 1 was given; wanted a string");
  refuses(R"({"__metadata__":{"a":{}}})", "f: header, '__metadata__', field 'a': an object was given; wanted a string");
  refuses(R"({"__metadata__":{"a":"x","a":"y"}})", "f: header, '__metadata__', field 'a': a second value was given; wanted each key once");
  refuses(R"({"__metadata__":{},"__metadata__":{}})", "f: header, '__metadata__': a second __metadata__ was given; wanted one");
}

}  // namespace safetensors_header_test
