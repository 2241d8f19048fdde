#include "data/torch_bin.h"

#include <cstring>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "data/tensor_archive.h"
#include "engine/core/error.h"
#include "tests/data/torch_builder.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

namespace torch_bin_test {

using namespace preamble;
using namespace preamble::testing;
using namespace preamble::testing::pickled;

namespace {

struct Fixture {
  TemporaryFolder folder;
  TorchBin open(const std::string& bytes) { return TorchBin::open(folder.write("f.bin", bytes)); }
  void refuses(const std::string& bytes, const char* text) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(static_cast<void>(open(bytes)), doctest::Contains(text), FileError);
  }
};

std::vector<float> floats_of(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

/// `w` is [2, 3], `t` its transpose, `r` its second row, all in one storage.
std::string shared_views() {
  const auto six = storage("FloatStorage", "0", 6);
  return state_dict({{"w", tensor(six, 0, {2, 3}, {3, 1})}, {"t", tensor(six, 0, {3, 2}, {1, 3})}, {"r", tensor(six, 3, {3}, {1})}});
}

void check_views(const TorchBin& file) {
  CHECK(file.names() == std::vector<std::string>{"r", "t", "w"});
  CHECK(floats_of(file.get("w")) == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(file.get("t").dims() == Dims{3, 2});
  CHECK(floats_of(file.get("t")) == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(floats_of(file.get("r")) == std::vector<float>{4, 5, 6});
}

const std::string kSix = floats({1, 2, 3, 4, 5, 6});

}  // namespace

TEST_CASE("torch_bin: shared storages, transposed and offset views are read from the zip form") {
  Fixture fixture;
  check_views(fixture.open(torch_zip(shared_views(), {{"0", kSix}})));
  check_views(fixture.open(torch_zip(shared_views(), {{"0", kSix}}, true)));
}

TEST_CASE("torch_bin: shared storages, transposed and offset views are read from the old form") {
  Fixture fixture;
  check_views(fixture.open(torch_old(shared_views(), {{"0", 6, kSix}})));
}

TEST_CASE("torch_bin: weights beside an optimizer's tensors are read from both forms") {
  Fixture fixture;
  const auto inside = [](const std::string& name, const std::string& value) { return "}(" + text(name) + value + "u"; };
  for (const char* key : {"state_dict", "model_state_dict", "model", "module"}) {
    CAPTURE(key);
    const auto pickle = state_dict({{"optimizer", inside("m", tensor(storage("DoubleStorage", "1", 1), 0, {1}, {1}))},
                                    {key, inside("w", tensor(storage("FloatStorage", "0", 2), 0, {2}, {1}))}});
    const std::string moment(8, '\0');
    for (const auto& bytes : {torch_zip(pickle, {{"0", floats({5, 6})}, {"1", moment}}),
                              torch_old(pickle, {{"1", 1, moment}, {"0", 2, floats({5, 6})}})}) {
      const TorchBin file = fixture.open(bytes);
      CHECK(file.names() == std::vector<std::string>{"w"});
      CHECK(floats_of(file.get("w")) == std::vector<float>{5, 6});
    }
  }
}

TEST_CASE("torch_bin: a strided view of three axes is copied in row-major order") {
  Fixture fixture;
  std::vector<float> numbers(24);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  const auto pickle = state_dict({{"w", tensor(storage("FloatStorage", "0", 24), 0, {4, 2, 3}, {1, 12, 4})}});
  const Tensor tensor = fixture.open(torch_zip(pickle, {{"0", floats(numbers)}})).get("w");
  const auto values = std::as_const(tensor).values<float>();
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 2; ++j) {
      for (std::size_t k = 0; k < 3; ++k) CHECK(values[(i * 2 + j) * 3 + k] == static_cast<float>(i + 12 * j + 4 * k));
    }
  }
}

TEST_CASE("torch_bin: files of torch.save hold the same bits as the safetensors of the same model") {
  for (const auto* model : {"t5-v10/model", "gpt2/model"}) {
    CAPTURE(model);
    const TensorArchive plain(golden(model));
    const TensorArchive torch(golden(std::string(model) + "-bin"));
    CHECK(torch.names() == plain.names());
    for (const auto& name : plain.names()) {
      CAPTURE(name);
      const Tensor wanted = plain.get(name);
      const Tensor given = torch.get(name);
      CHECK(given.dtype() == wanted.dtype());
      REQUIRE(given.dims() == wanted.dims());
      CHECK(std::memcmp(given.data(), wanted.data(), wanted.bytes()) == 0);
    }
  }
}

TEST_CASE("torch_bin: files that would run something, or are something else, are refused") {
  const auto refuses = [](const char* name, const char* text) {
    const auto path = golden(std::string("refused-bin/") + name);
    CHECK_THROWS_WITH_AS(static_cast<void>(TorchBin::open(path)), (path.string() + ": " + text).c_str(), FileError);
  };
  refuses("runs-a-command.bin",
          "pickle: names posix.system before byte 199; wanted nothing but the tensors of a state dict (nothing was run)");
  refuses("old-form-runs-a-command.bin",
          "pickle: names posix.system before byte 213; wanted nothing but the tensors of a state dict (nothing was run)");
  refuses("plain-pickle.bin", "neither a zip archive nor the older form of torch.save; wanted a file of torch.save");
  refuses("not-a-checkpoint.bin", "a zip archive with 0 entries '.../data.pkl'; wanted one, as torch.save writes");
}

TEST_CASE("torch_bin: storages that are missing or have another size are refused") {
  Fixture fixture;
  fixture.refuses(torch_zip(shared_views(), {{"1", kSix}}), "'w' lies in storage '0'; the file has none of that name");
  fixture.refuses(torch_zip(shared_views(), {{"0", kSix.substr(4)}}), "'w' wants 6 elements of F32 in storage '0'; it has 20 bytes");
  fixture.refuses(torch_zip(shared_views(), {{"0", kSix + "x"}}), "'w' wants 6 elements of F32 in storage '0'; it has 25 bytes");
  fixture.refuses(torch_old(shared_views(), {{"1", 6, kSix}}), "storage '1' belongs to no tensor");
  fixture.refuses(torch_old(shared_views(), {}), "'w' lies in storage '0'; the file has none of that name");
  fixture.refuses(torch_old(shared_views(), {{"0", 5, kSix.substr(4)}}), "'w' wants 6 elements of F32 in storage '0'; it has 20 bytes");
  fixture.refuses(torch_old(shared_views(), {{"0", 7, kSix}}), "storage '0' claims 7 elements of F32; 24 bytes are left");
  fixture.refuses(torch_old(shared_views(), {{"0", ~std::uint64_t{0}, kSix}}), "storage '0' claims 18446744073709551615 elements");
  fixture.refuses(torch_old(shared_views(), {{"0", 6, kSix}, {"0", 6, kSix}}), "storage '0' is there twice");
  fixture.refuses(torch_old(shared_views(), {{"0", 6, kSix + "x"}}), "its storages end at byte");
}

TEST_CASE("torch_bin: archives of another kind or byte order are refused") {
  Fixture fixture;
  const auto pickle = shared_views();
  fixture.refuses(zip_of({{"m/data.pkl", pickle}, {"m/byteorder", "big"}, {"m/data/0", kSix}}), "its byte order is 'big'; wanted 'little'");
  fixture.refuses(torch_old(pickle, {{"0", 6, kSix}}, false), "its byte order is big-endian; wanted little-endian");
  fixture.refuses(zip_of({{"m/data.pkl", pickle}, {"m/constants.pkl", ""}, {"m/data/0", kSix}}),
                  "a TorchScript archive; wanted a state dict");
  fixture.refuses(zip_of({{"m/data.pkl", pickle}, {"n/data.pkl", pickle}}), "a zip archive with 2 entries '.../data.pkl'; wanted one");
  fixture.refuses(zip_of({{"m/data.pkl", pickle, 8}}), "zip entry 'm/data.pkl' is compressed (method 8)");
  fixture.refuses("", "neither a zip archive nor the older form of torch.save");
}

}  // namespace torch_bin_test
