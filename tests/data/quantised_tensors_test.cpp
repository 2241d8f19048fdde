#include "data/quantised_tensors.h"

#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/random.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace quantised_tensors_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

Tensor normal(std::int64_t rows, std::int64_t columns) {
  Tensor tensor(Dtype::f32, {rows, columns});
  Random random(3, 1);
  for (float& x : tensor.values<float>()) x = random.normal();
  return tensor;
}

using Named = std::vector<std::pair<std::string, Tensor>>;

}  // namespace

TEST_CASE("quantised tensors: a file gives back what was written, mapped") {
  const TemporaryFolder folder;
  const Tensor w = normal(5, 70);
  Named tensors = {{"plain", w}};
  for (const Dtype type : {Dtype::int8_rows, Dtype::int8_columns, Dtype::int4_32, Dtype::int4_64, Dtype::nf4_32, Dtype::nf4_64}) {
    tensors.emplace_back(std::string(name_of(type)), w.to(type));
  }
  const Named expected = tensors;
  std::map<std::string, std::string> metadata = {{"format", "pt"}};
  store_quantised(tensors, metadata);
  CHECK(tensors[1].second.dtype() == Dtype::u8);
  const auto path = folder.path() / "q.safetensors";
  write_safetensors(path, tensors, metadata);
  const SafetensorsFile file = SafetensorsFile::open(path);
  for (const auto& [name, tensor] : expected) {
    CAPTURE(name);
    const Tensor read = file.get(name);
    CHECK(read.dtype() == tensor.dtype());
    CHECK(read.dims() == tensor.dims());
    CHECK_FALSE(read.writable());
    REQUIRE(read.bytes() == tensor.bytes());
    CHECK(std::memcmp(read.data(), tensor.data(), tensor.bytes()) == 0);
  }
}

TEST_CASE("quantised tensors: metadata that do not fit the file are refused") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "q.safetensors";
  const Named tensors = {{"w", Tensor(Dtype::u8, {128 + 3 * 4})}};
  const auto open = [&](const std::string& metadata) {
    write_safetensors(path, tensors, {{kQuantisedKey, metadata}});
    return SafetensorsFile::open(path).dims("w");
  };
  CHECK(open(R"({"w":["INT8_ROWS",3,40]})") == Dims{3, 40});
  for (const std::string bad : {"[]", "{", R"({"v":["INT8_ROWS",3,40]})", R"({"w":["INT8_ROWS",3,50]})", R"({"w":["INT8_ROWS",3]})",
                                R"({"w":["F32",3,40]})", R"({"w":["INT9",3,40]})", R"({"w":["INT8_ROWS",-3,40]})", R"({"w":["Q4_K",3,40]})",
                                R"({"w":["INT8_ROWS",3,4000000000000000000]})"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS((void)open(bad), FileError);
  }
}

}  // namespace quantised_tensors_test
