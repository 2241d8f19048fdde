// the build's baseline instruction set stands for the others, which the tests of ops cover
#define PREAMBLE_ISA decode_test

#include "engine/core/decode_row.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/tensor.h"

using namespace preamble;

TEST_CASE("decode_row: bf16 widens to the same number") {
  const BFloat16 stored[] = {to_bfloat16(1.0F), to_bfloat16(-0.15625F), to_bfloat16(3e38F)};
  double wide[3];
  decode_test::widen_row(stored, wide, 3);
  for (int i = 0; i < 3; ++i) CHECK(wide[i] == static_cast<double>(to_float(stored[i])));
}

TEST_CASE("decode_row: every number of binary16 widens to the same number") {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const Float16 x{static_cast<std::uint16_t>(bits)};
    const float expected = to_float(x), given = decode_test::widen(x);
    if (std::isnan(expected)) {
      CHECK(std::isnan(given));
    } else {
      REQUIRE(std::bit_cast<std::uint32_t>(given) == std::bit_cast<std::uint32_t>(expected));
    }
  }
}

TEST_CASE("decode_row: any part of a row is that part of the whole row") {
  constexpr std::int64_t kColumns = 512;
  for (int t = static_cast<int>(Dtype::int8_rows); t <= static_cast<int>(Dtype::q6_k); ++t) {
    const auto dtype = static_cast<Dtype>(t);
    CAPTURE(name_of(dtype));
    Tensor tensor(dtype, {2, kColumns});
    auto* bytes = static_cast<std::uint8_t*>(tensor.data());
    const StoredMatrix m = StoredMatrix::of(dtype, 2, kColumns, tensor.data());
    REQUIRE(static_cast<std::size_t>(m.bytes()) == tensor.bytes());
    // a small exponent wherever an F16 may stand
    for (std::size_t i = 0; i < tensor.bytes(); ++i) bytes[i] = static_cast<std::uint8_t>((i * 37 + 11) % 53);
    const std::int64_t scales = m.scales == nullptr ? 0 : m.row_scales == 0 ? kColumns : 2 * m.row_scales;
    for (std::int64_t i = 0; i < scales; ++i) const_cast<float*>(m.scales)[i] = 0.5F + static_cast<float>(i);
    std::vector<float> whole(kColumns), part(kColumns);
    decode_test::decode_row(m, 1, 0, kColumns, whole.data());
    CHECK(std::ranges::any_of(whole, [](float x) { return x != 0; }));
    for (const auto& [first, count] : {std::array{0, 1}, {1, 30}, {16, 16}, {16, 32}, {31, 34}, {250, 262}, {512, 0}}) {
      decode_test::decode_row(m, 1, first, count, part.data());
      for (int i = 0; i < count; ++i) REQUIRE(part[static_cast<std::size_t>(i)] == whole[static_cast<std::size_t>(first + i)]);
    }
    std::vector<double> wide(kColumns);
    decode_test::decode_row(m, 1, 0, kColumns, wide.data());
    for (std::size_t i = 0; i < wide.size(); ++i) REQUIRE(wide[i] == static_cast<double>(whole[i]));
  }
}

TEST_CASE("stored matrix: bytes of each type, and columns that blocks cannot hold") {
  const auto bytes = [](Dtype dtype, std::int64_t rows, std::int64_t columns) {
    return StoredMatrix::of(dtype, rows, columns, nullptr).bytes();
  };
  CHECK(bytes(Dtype::bf16, 3, 5) == 30);
  CHECK(bytes(Dtype::int8_rows, 3, 40) == 128 + 3 * 4);
  CHECK(bytes(Dtype::int8_columns, 3, 40) == 128 + 40 * 4);
  CHECK(bytes(Dtype::nf4_64, 4, 128) == 4 * 64 + 4 * 2 * 4);
  CHECK(bytes(Dtype::int4_32, 4, 33) == 128 + 4 * 2 * 4);
  CHECK(bytes(Dtype::q8_0, 2, 64) == 2 * 2 * 34);
  CHECK(bytes(Dtype::q4_0, 2, 64) == 2 * 2 * 18);
  CHECK(bytes(Dtype::q4_k, 2, 256) == 2 * 144);
  CHECK(bytes(Dtype::q6_k, 2, 512) == 2 * 2 * 210);
  CHECK_THROWS_WITH_AS((void)bytes(Dtype::q4_k, 2, 96), "Q4_K: a matrix [2, 96] was given; wanted a multiple of 256 columns", ShapeError);
}
