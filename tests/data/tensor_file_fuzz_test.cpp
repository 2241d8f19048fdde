// Every damaged file must give an Error or parse to tensors that lie inside it.
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "data/safetensors.h"
#include "data/torch_bin.h"
#include "engine/core/error.h"
#include "engine/core/random.h"
#include "tests/data/torch_builder.h"
#include "tests/support/temporary_folder.h"

namespace tensor_file_fuzz_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

struct Sample {
  std::string_view label;
  std::string bytes;
  TensorFile (*open)(const std::filesystem::path&);
};

std::vector<Sample> samples() {
  using namespace pickled;
  const auto six = storage("FloatStorage", "0", 6);
  const auto pickle = state_dict({{"w", tensor(six, 0, {2, 3}, {3, 1})},
                                  {"t", parameter(tensor(six, 0, {3, 2}, {1, 3}))},
                                  {"h", tensor(storage("HalfStorage", "1", 3), 1, {2}, {1})}});
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("b":{"dtype":"BF16","shape":[1],"data_offsets":[24,26],"x":[{}]},"c":{"dtype":"F4","shape":[4],"data_offsets":[26,28]}} )";
  const std::string numbers = floats({1, 2, 3, 4, 5, 6});
  const auto open_safetensors = [](const std::filesystem::path& path) -> TensorFile { return SafetensorsFile::open(path); };
  const auto open_torch = [](const std::filesystem::path& path) -> TensorFile { return TorchBin::open(path); };
  return {{"safetensors", little(std::uint64_t{header.size()}) + header + numbers + "1234", open_safetensors},
          {"zip", torch_zip(pickle, {{"0", numbers}, {"1", "123456"}}), open_torch},
          {"zip64", torch_zip(pickle, {{"0", numbers}, {"1", "123456"}}, true), open_torch},
          {"old", torch_old(pickle, {{"0", 6, numbers}, {"1", 3, "123456"}}), open_torch}};
}

/// One file that takes other bytes again and again, in place: making and removing tens of thousands of files takes minutes.
class Scratch {
 public:
  [[nodiscard]] std::filesystem::path with(const std::string& bytes) const {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    require<Error>(file.good(), "{}: cannot be written", path_.string());
    std::filesystem::resize_file(path_, bytes.size());
    return path_;
  }

 private:
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.write("f", " ");
};

/// Opens the bytes and touches every number. False if they were refused.
bool opens(const Sample& sample, const Scratch& scratch, const std::string& bytes) {
  const auto path = scratch.with(bytes);
  try {
    const TensorFile file = sample.open(path);
    for (const auto& name : file.names()) {
      try {
        const Tensor tensor = file.get(name);
        CHECK(tensor.bytes() <= bytes.size());
        volatile unsigned char sum = 0;
        for (std::size_t i = 0; i < tensor.bytes(); ++i)
          sum = static_cast<unsigned char>(sum + static_cast<const unsigned char*>(tensor.data())[i]);
      } catch (const DtypeError&) {
        continue;
      }
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

TEST_CASE("tensor_file: a file that is cut anywhere is refused") {
  const Scratch scratch;
  for (const auto& sample : samples()) {
    CAPTURE(sample.label);
    REQUIRE(opens(sample, scratch, sample.bytes));
    for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
      CAPTURE(size);
      CHECK_FALSE(opens(sample, scratch, sample.bytes.substr(0, size)));
    }
  }
}

TEST_CASE("tensor_file: a file with any one bit flipped is refused or stays inside its bytes") {
  const Scratch scratch;
  for (const auto& sample : samples()) {
    CAPTURE(sample.label);
    std::size_t refused = 0;
    for (std::size_t bit = 0; bit < 8 * sample.bytes.size(); ++bit) {
      CAPTURE(bit);
      std::string bytes = sample.bytes;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
      refused += opens(sample, scratch, bytes) ? 0U : 1U;
    }
    // most of a small file is structure
    CHECK(refused > 3 * sample.bytes.size());
  }
}

TEST_CASE("tensor_file: a file with random bytes overwritten, removed or doubled is refused or stays inside its bytes") {
  const Scratch scratch;
  for (const auto& sample : samples()) {
    CAPTURE(sample.label);
    Random random(7);
    for (int round = 0; round < 3000; ++round) {
      CAPTURE(round);
      std::string bytes = sample.bytes;
      for (std::uint32_t change = 0; change <= random.below(3); ++change) {
        const std::size_t position = random.below(static_cast<std::uint32_t>(bytes.size() - 8));
        const std::size_t length = 1 + random.below(8);
        switch (random.below(3)) {
          case 0:
            for (std::size_t i = 0; i < length; ++i) bytes[position + i] = static_cast<char>(random.bits());
            break;
          case 1: bytes.erase(position, length); break;
          default: bytes.insert(position, bytes.substr(position, length)); break;
        }
      }
      CHECK_NOTHROW(static_cast<void>(opens(sample, scratch, bytes)));
    }
  }
}

}  // namespace tensor_file_fuzz_test
