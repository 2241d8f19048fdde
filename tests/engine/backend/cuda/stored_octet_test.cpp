// How GPUs decode stored matrices, compiled for the host.
#include "engine/backend/cuda/stored_octet.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/tensor.h"
#include "tests/support/stored_matrices.h"

namespace stored_octet_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Every byte but those of scales of blocks, which stay small numbers, takes every value.
void fill_blocks(Tensor& tensor) {
  auto* bytes = static_cast<std::uint8_t*>(tensor.data());
  std::uint32_t state = 12345;
  const auto next = [&] { return static_cast<std::uint8_t>((state = state * 1664525U + 1013904223U) >> 24U); };
  std::size_t block = 0;
  std::vector<std::size_t> halves;
  switch (tensor.dtype()) {
    case Dtype::q8_0: block = 34, halves = {0}; break;
    case Dtype::q4_0: block = 18, halves = {0}; break;
    case Dtype::q4_k: block = 144, halves = {0, 2}; break;
    case Dtype::q6_k: block = 210, halves = {208}; break;
    default: return;
  }
  REQUIRE(tensor.bytes() % block == 0);
  for (std::size_t first = 0; first < tensor.bytes(); first += block) {
    for (std::size_t i = 0; i < block; ++i) bytes[first + i] = next();
    // ±[2^-3, 2^-2)
    for (const std::size_t at : halves) bytes[first + at + 1] = static_cast<std::uint8_t>((next() & 0x83U) | 0x30U);
  }
}

/// The octets of each row are the numbers that the CPU reads, and zeros behind the end of a row.
void check_octets(const Tensor& tensor) {
  CAPTURE(name_of(tensor.dtype()));
  const std::int64_t rows = tensor.dim(0), columns = tensor.dim(1);
  const StoredMatrix w = StoredMatrix::of(tensor.dtype(), rows, columns, tensor.data());
  const Tensor expected = tensor.to(Dtype::f32);
  float largest = 0;
  for (const float x : expected.values<float>()) largest = std::max(largest, std::abs(x));
  REQUIRE(largest > 0);
  bool known = false;
  float difference = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t column = 0; column < columns; column += 8) {
      float v[8];
      std::ranges::fill(v, std::numeric_limits<float>::quiet_NaN());
      known = cuda::with_format(tensor.dtype(), [&]<cuda::StoredFormat format>() { cuda::decode_octet<format>(w, r, column, columns - column, v); });
      for (std::int64_t i = 0; i < 8; ++i) {
        const float right = column + i < columns ? expected.values<float>()[static_cast<std::size_t>(r * columns + column + i)] : 0.0F;
        // not by `max`, which would pass over NaN
        const float apart = std::abs(v[i] - right);
        if (!(apart <= difference)) difference = apart;
      }
    }
  }
  CHECK(known);
  // Q4_K subtracts: compilers may or may not round the product before
  CHECK(difference <= (tensor.dtype() == Dtype::q4_k ? 1e-6F * largest : 0.0F));
}

}  // namespace

TEST_CASE("kernels for GPUs: octets of stored matrices are the numbers that the CPU reads") {
  for (const Dtype type : kStoredTypes) {
    if (type == Dtype::bf16) continue;
    Tensor whole = stored_matrix(type, 5, 512, 3);
    check_octets(whole);
    fill_blocks(whole);
    check_octets(whole);
    // rows that end within a group, an octet, a word
    if (block_columns(type) == 1) {
      for (const std::int64_t columns : {1, 5, 8, 13, 31, 40, 72, 100}) check_octets(stored_matrix(type, 3, columns, 4));
    }
  }
}

TEST_CASE("kernels for GPUs: types without a format are told apart") {
  for (const Dtype type : {Dtype::f32, Dtype::bf16, Dtype::f64, Dtype::i32, Dtype::boolean}) {
    CHECK(!cuda::with_format(type, []<cuda::StoredFormat>() {}));
  }
}

}  // namespace stored_octet_test
