#include "engine/core/tensor.h"

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace tensor_test {

using namespace preamble;

namespace {

std::vector<float> numbers(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("tensor: new memory is zero and begins at a cache line, small or large") {
  for (const std::int64_t count : {1, 100, 1 << 19}) {
    const Tensor tensor(Dtype::f32, {count});
    CHECK(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64 == 0);
    CHECK(tensor.writable());
    for (const float x : tensor.values<float>()) REQUIRE(x == 0);
  }
}

TEST_CASE("tensor: counts and bytes follow from the dimensions") {
  const Tensor tensor(Dtype::bf16, {2, 3, 4});
  CHECK(tensor.count() == 24);
  CHECK(tensor.bytes() == 48);
  CHECK(tensor.dim(1) == 3);
  CHECK(to_string(tensor.dims()) == "[2, 3, 4]");
  CHECK(count_of(Dims{}) == 1);
  CHECK(to_string(Dims{}) == "[]");
}

TEST_CASE("tensor: a default one is undefined, an empty one is not") {
  CHECK(!Tensor().defined());
  const Tensor empty(Dtype::f32, {0, 5});
  CHECK(empty.defined());
  CHECK(empty.bytes() == 0);
  CHECK(empty.clone().dims() == Dims{0, 5});
}

TEST_CASE("tensor: copies share memory, clones do not") {
  Tensor original = tensor_of({2}, std::array{1.0F, 2.0F});
  Tensor shared = original;
  Tensor cloned = original.clone();
  shared.values<float>()[0] = 5;
  CHECK(numbers(original) == std::vector<float>{5, 2});
  CHECK(numbers(cloned) == std::vector<float>{1, 2});
}

TEST_CASE("tensor: views keep the memory alive and share it") {
  Tensor rows;
  {
    const Tensor table = tensor_of({3, 2}, std::array{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F});
    rows = table.rows(1, 2);
  }
  CHECK(rows.dims() == Dims{2, 2});
  CHECK(numbers(rows) == std::vector<float>{3, 4, 5, 6});
  CHECK(numbers(rows.reshaped({4})) == std::vector<float>{3, 4, 5, 6});
  CHECK(rows.rows(2, 0).count() == 0);
}

TEST_CASE("tensor: conversion to its own type shares, to another one copies") {
  const Tensor x = tensor_of({2}, std::array{1.0F, -0.5F});
  CHECK(x.to(Dtype::f32).data() == x.data());
  const Tensor wide = x.to(Dtype::f64);
  CHECK(wide.values<double>()[1] == -0.5);
}

TEST_CASE("tensor: foreign memory lives as long as its keeper and is read-only") {
  auto keeper = std::make_shared<std::array<float, 2>>(std::array{7.0F, 8.0F});
  const std::weak_ptr<const void> alive = keeper;
  {
    Tensor view(Dtype::f32, {2}, keeper, keeper->data());
    keeper.reset();
    CHECK(!alive.expired());
    CHECK(!view.writable());
    CHECK(numbers(std::as_const(view)) == std::vector<float>{7, 8});
    CHECK_THROWS_WITH_AS((void)view.values<float>(), "tensor: opened for writing; its memory is read-only", Error);
    CHECK(view.clone().writable());
  }
  CHECK(alive.expired());
}

TEST_CASE("tensor: rejects shapes and types that do not fit") {
  const Tensor table(Dtype::f32, {3, 2});
  CHECK_THROWS_WITH_AS((void)table.reshaped({4}), "reshape: [4] was given; [3, 2] holds another number of elements", ShapeError);
  CHECK_THROWS_WITH_AS((void)table.rows(2, 2), "rows: [2, 4) was asked for; the tensor is [3, 2]", ShapeError);
  CHECK_THROWS_AS((void)table.rows(-1, 1), ShapeError);
  CHECK_THROWS_AS((void)Tensor(Dtype::f32, {}).rows(0, 1), ShapeError);
  CHECK_THROWS_WITH_AS((void)table.values<double>(), "tensor: read as F64; it holds F32", DtypeError);
  CHECK_THROWS_WITH_AS((void)Tensor(Dtype::f32, {2, -1}), "tensor: dimensions [2, -1] were given; wanted none below zero", ShapeError);
  CHECK_THROWS_WITH_AS((void)tensor_of({3}, std::array{1.0F}), "tensor: 1 values were given; [3] holds 3", ShapeError);
}

}  // namespace tensor_test
