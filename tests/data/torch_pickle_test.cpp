#include "data/torch_pickle.h"

#include <limits>
#include <map>
#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/data/torch_builder.h"

namespace torch_pickle_test {

using namespace preamble;
using namespace preamble::testing::pickled;

namespace {

std::vector<TorchTensor> read(const std::string& bytes) { return tensors_of(Pickle::read(std::as_bytes(std::span(bytes)), "f"), "f"); }

void refuses(const std::string& value, const char* text) {
  CAPTURE(text);
  CHECK_THROWS_WITH_AS(static_cast<void>(read(state_dict({{"w", value}}))), doctest::Contains(text), FileError);
}

TorchTensor view(std::int64_t count, std::int64_t offset, const Dims& dims, const Dims& strides) {
  return read(state_dict({{"w", tensor(storage("FloatStorage", "0", count), offset, dims, strides)}})).at(0);
}

}  // namespace

TEST_CASE("torch_pickle: tensors and parameters come with type, shape and storage") {
  const auto plain = tensor(storage("BFloat16Storage", "7", 6), 0, {2, 3}, {3, 1});
  const std::string bytes = state_dict({{"w", plain}, {"p", parameter(plain)}});
  const auto tensors = read(bytes);
  REQUIRE(tensors.size() == 2);
  CHECK(tensors[0].name == "w");
  CHECK(tensors[0].storage.key == "7");
  CHECK(tensors[0].storage.dtype == Dtype::bf16);
  CHECK(tensors[0].storage.count == 6);
  CHECK(tensors[1].dims == Dims{2, 3});
}

TEST_CASE("torch_pickle: only views that are out of order keep strides") {
  CHECK(view(6, 0, {2, 3}, {3, 1}).strides.empty());
  CHECK(view(7, 1, {2, 3}, {3, 1}).strides.empty());
  CHECK(view(6, 0, {3, 2}, {1, 3}).strides == Dims{1, 3});
  CHECK(view(6, 0, {3, 1}, {2, 1}).strides == Dims{2, 1});
  CHECK(view(3, 0, {1, 3, 1}, {99, 1, 99}).strides.empty());
  CHECK(view(1, 0, {}, {}).strides.empty());
  CHECK(view(0, 0, {0, 5}, {5, 1}).strides.empty());
}

TEST_CASE("torch_pickle: the view of a storage in the old form adds its offset") {
  const auto part = [](std::int64_t first, std::int64_t count) {
    return storage("FloatStorage", "0", 10, "(" + text("0") + integer(first) + integer(count) + "t");
  };
  CHECK(read(state_dict({{"w", tensor(part(4, 5), 1, {4}, {1})}})).at(0).offset == 5);
  refuses(tensor(part(4, 7), 0, {1}, {1}), "'w': its storage view is [4, 7 more); the storage has 10 elements");
  refuses(tensor(part(4, 5), 1, {5}, {1}), "from element 1 on; its storage has 5");
}

TEST_CASE("torch_pickle: views that leave their storage or repeat elements are refused") {
  const auto of = [](std::int64_t offset, const Dims& dims, const Dims& strides) {
    return tensor(storage("FloatStorage", "0", 6), offset, dims, strides);
  };
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  refuses(of(0, {7}, {1}), "f: 'w': size [7] with strides [1] from element 0 on; its storage has 6");
  refuses(of(1, {2, 3}, {3, 1}), "size [2, 3] with strides [3, 1] from element 1 on; its storage has 6");
  refuses(of(0, {2}, {6}), "its storage has 6");
  refuses(of(0, {3}, {kMost}), "its storage has 6");
  refuses(of(kMost, {2}, {1}), "its storage has 6");
  refuses(of(7, {0}, {1}), "from element 7 on");
  refuses(of(0, {kMost, kMost}, {0, 0}), "its storage has 6");
  refuses(of(0, {kMost}, {0}), "out of a storage of 6 elements; wanted each element once");
  refuses(of(-1, {1}, {1}), "'w': its offset is -1; wanted none below zero");
  refuses(of(0, {-1}, {1}), "'w': its size is -1; wanted none below zero");
  refuses(of(0, {1}, {-1}), "'w': its stride is -1; wanted none below zero");
  refuses(of(0, {1, 1}, {1}), "'w': 2 dimensions and 1 strides; wanted as many");
  refuses(of(0, Dims(65, 1), Dims(65, 1)), "'w': its size has 65 axes; wanted at most 64");
}

TEST_CASE("torch_pickle: a state dict is found under the usual keys, whatever lies beside it") {
  const auto weight = tensor(storage("FloatStorage", "0", 1), 0, {1}, {1});
  const auto moment = tensor(storage("DoubleStorage", "1", 1), 0, {1}, {1});
  const auto inside = [](const std::string& name, const std::string& value) { return "}(" + text(name) + value + "u"; };
  for (const auto* key : {"state_dict", "model_state_dict", "model"}) {
    CAPTURE(key);
    const std::string bytes = state_dict({{"epoch", "K\x03"}, {"optimizer", inside("m", moment)}, {key, inside("w", weight)}});
    const auto pickle = Pickle::read(std::as_bytes(std::span(bytes)), "f");
    const auto tensors = tensors_of(pickle, "f");
    REQUIRE(tensors.size() == 1);
    CHECK(tensors[0].name == "w");
    CHECK(storages_of(pickle, "f") == std::map<std::string_view, Dtype>{{"0", Dtype::f32}, {"1", Dtype::f64}});
  }
  // a tensor of that name is a tensor
  CHECK(read(state_dict({{"model", weight}})).at(0).name == "model");
}

TEST_CASE("torch_pickle: whatever is no state dict is refused") {
  refuses("}", "f: 'w': it is a dict; wanted a tensor");
  refuses("N", "f: 'w': it is None; wanted a tensor");
  CHECK_THROWS_WITH_AS(static_cast<void>(read(whole("]"))), "f: holds a list; wanted a state dict", FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(read(whole("}NNs"))), "f: a key of the state dict is None; wanted a text", FileError);
  const auto one = tensor(storage("FloatStorage", "0", 1), 0, {}, {});
  CHECK_THROWS_WITH_AS(static_cast<void>(read(state_dict({{"w", one}, {"w", one}}))), "f: tensor 'w' is there twice; wanted each name once",
                       FileError);
}

}  // namespace torch_pickle_test
