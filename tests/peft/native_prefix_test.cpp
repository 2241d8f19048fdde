#include "peft/native_prefix.h"

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "tests/support/golden.h"
#include "tests/support/prefixes.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace native_prefix_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// The golden T5 v1.1: 2 + 3 layers of 5 heads of 8.
AttentionShape shapes(Site site) { return {site == Site::encoder_self ? 2 : 3, 5, 5, 8}; }

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

using Tensors = std::vector<std::pair<std::string, Tensor>>;

struct NativeFolder : TemporaryFolder {
  void put(std::string_view json, const Tensors& tensors) const {
    write("preamble.json", json);
    write_safetensors(path() / "prefix.safetensors", tensors);
  }
  [[nodiscard]] std::string error(std::string_view json, const Tensors& tensors) const {
    put(json, tensors);
    return message_of([&] { (void)NativePrefix::read(path(), shapes); });
  }
};

Tensors cross_of(Dims dims) { return {{"cross.key", random_floats(dims, 1)}, {"cross.value", random_floats(dims, 2)}}; }

}  // namespace

TEST_CASE("native prefix: sites, layers and lengths are those of the file") {
  const auto folder = golden("t5-v11/cases/prefix3-layers-grad/adapter");
  CHECK(NativePrefix::is_in(folder));
  const NativePrefix prefix = NativePrefix::read(folder, shapes);
  REQUIRE(prefix.slot.size() == 2);
  CHECK_FALSE(prefix.shifted);
  CHECK(prefix.slot.at(Site::encoder_self).pair_of_layer == std::map<std::int64_t, std::int64_t>{{1, 0}});
  CHECK(prefix.slot.at(Site::cross).pair_of_layer == std::map<std::int64_t, std::int64_t>{{0, 0}, {2, 1}});
  CHECK(prefix.slot.at(Site::cross).tokens() == 3);
  CHECK(prefix.slot.at(Site::cross).names == "cross.");
}

TEST_CASE("native prefix: what is written is read again to the bit") {
  const NativePrefix prefix = NativePrefix::read(golden("t5-v11/cases/prefix3-grad/adapter"), shapes);
  const TemporaryFolder folder;
  NativePrefix changed = prefix;
  changed.shifted = true;
  changed.write(folder.path() / "new");
  const NativePrefix again = NativePrefix::read(folder.path() / "new", shapes);
  CHECK(again.shifted);
  REQUIRE(again.slot.size() == 3);
  for (const auto& [site, table] : prefix.slot) {
    CHECK(again.slot.at(site).pair_of_layer == table.pair_of_layer);
    CHECK(numbers(again.slot.at(site).unpacked().key) == numbers(table.unpacked().key));
    CHECK(numbers(again.slot.at(site).unpacked().value) == numbers(table.unpacked().value));
  }
}

TEST_CASE("native prefix: layers may stand in any order") {
  const NativeFolder folder;
  folder.put(R"({"format": 1, "method": "prefix", "sites": ["cross"], "layers": {"cross": [2, 0]}})", cross_of({2, 5, 3, 8}));
  const NativePrefix prefix = NativePrefix::read(folder.path(), shapes);
  CHECK(prefix.slot.at(Site::cross).pair_of_layer == std::map<std::int64_t, std::int64_t>{{0, 1}, {2, 0}});
  prefix.write(folder.path());
  CHECK(NativePrefix::read(folder.path(), shapes).slot.at(Site::cross).pair_of_layer == prefix.slot.at(Site::cross).pair_of_layer);
}

TEST_CASE("native prefix: a reparametrised site is trained by its network and written folded") {
  const NativeFolder folder;
  folder.put(R"({"format": 1, "method": "prefix", "sites": ["cross"]})", cross_of({3, 5, 4, 8}));
  const PromptEncoder encoder = PromptEncoder::random({EncoderKind::projection, 4, 40, 6, 3 * 2 * 40, 2}, 3);
  Tensors weights;
  for (const auto& tensor : encoder.tensors()) weights.emplace_back("cross." + tensor.name, tensor.value);
  const auto trainable = folder.path() / "trainable.safetensors";
  write_safetensors(trainable, weights);
  const NativePrefix prefix = NativePrefix::read(folder.path(), shapes, trainable);
  const PrefixTuning method({prefix.slot}, {});
  CHECK(method.trainables().at(1).name == "cross.transform.0.weight");
  prefix.write(folder.path() / "folded");
  const NativePrefix folded = NativePrefix::read(folder.path() / "folded", shapes);
  check_close(numbers(folded.slot.at(Site::cross).packed().rows), numbers(encoder.fold()), 0);
  // one row too many
  folder.put(R"({"format": 1, "method": "prefix", "sites": ["cross"]})", cross_of({3, 5, 5, 8}));
  CHECK(message_of([&] { (void)NativePrefix::read(folder.path(), shapes, trainable); }) ==
        trainable.string() + ": a reparametrisation of 4 rows of 240; wanted 5 of 240 for 'cross'");
}

TEST_CASE("native prefix: warns of values that are not finite") {
  const NativeFolder folder;
  Tensors tensors = cross_of({3, 5, 2, 8});
  tensors[1].second.values<float>()[7] = std::numeric_limits<float>::quiet_NaN();
  folder.put(R"({"format": 1, "method": "prefix", "sites": ["cross"]})", tensors);
  std::vector<std::string> heard;
  (void)NativePrefix::read(folder.path(), shapes, {}, [&](const std::string& text) { heard.push_back(text); });
  CHECK(heard ==
        std::vector<std::string>{(folder.path() / "prefix.safetensors").string() + ": 'cross.value': 1 of 240 values are not finite"});
}

TEST_CASE("native prefix: each damaged folder has one clear error") {
  const NativeFolder folder;
  const std::string json = (folder.path() / "preamble.json").string();
  const std::string file = (folder.path() / "prefix.safetensors").string();
  const Tensors good = cross_of({3, 5, 4, 8});
  CHECK(folder.error(R"({"format": 2, "method": "prefix", "sites": ["cross"]})", good) == json + ": format 2; wanted 1");
  CHECK(folder.error(R"({"format": 1, "method": "lora", "sites": ["cross"]})", good) == json + ": method 'lora'; wanted prefix");
  CHECK(folder.error(R"({"format": 1, "method": "prefix", "sites": []})", good) == json + ": no sites and no head; wanted one at least");
  CHECK(folder.error(R"({"format": 1, "method": "prefix", "sites": ["self"]})", good) ==
        json + ": site 'self'; wanted encoder_self, decoder_self or cross");
  CHECK(folder.error(R"({"format": 1, "method": "prefix", "sites": ["cross", "cross"]})", good) ==
        json + ": site 'cross' stands there twice");
  CHECK(folder.error(R"({"format": 1, "method": "prefix", "sites": ["cross"], "positions": "none"})", good) ==
        json + ": positions 'none'; wanted shifted or unshifted");
  CHECK(folder.error(R"({"format": 1, "method": "prefix", "sites": ["cross"], "layers": {"cross": [0, 3]}})", good) ==
        json + ": layers [0, 3] of 'cross'; wanted different ones below 3");
  CHECK(folder.error(R"({"format": 1, "method": "prefix", "sites": ["cross"], "layers": {"cross": [0, 0]}})", good) ==
        json + ": layers [0, 0] of 'cross'; wanted different ones below 3");
  CHECK(folder.error(R"({"format": 1, "method": "prefix", "sites": ["decoder_self"]})", good) ==
        file + ": tensor 'decoder_self.key' is missing; wanted a prefix");
  CHECK(folder.error(R"({"format": 1, "method": "prefix", "sites": ["cross"]})", cross_of({3, 5, 4, 7})) ==
        file + ": 'cross.key' is [3, 5, 4, 7]; wanted [3, 5, P, 8]");
  CHECK(folder.error(R"({"format": 1, "method": "prefix", "sites": ["cross"]})",
                     {{"cross.key", Tensor(Dtype::f32, {3, 5, 4, 8})}, {"cross.value", Tensor(Dtype::f32, {3, 5, 2, 8})}}) ==
        file + ": 'cross.key' is [3, 5, 4, 8] and 'cross.value' is [3, 5, 2, 8]; wanted equal dimensions");
}

}  // namespace native_prefix_test
