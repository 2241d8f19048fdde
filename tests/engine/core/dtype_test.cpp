#include "engine/core/dtype.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace dtype_test {

using namespace preamble;

namespace {

constexpr std::array kAll = {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::f16, Dtype::i8,  Dtype::u8,     Dtype::i16,
                             Dtype::u16, Dtype::i32, Dtype::u32,  Dtype::i64, Dtype::u64, Dtype::boolean};

/// bfloat16 by the definition: the nearest of the two neighbours, ties to the even one, in double arithmetic.
std::uint16_t nearest_bfloat16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t below = bits & 0xFFFF0000U;
  const std::uint32_t above = below + 0x10000U;
  const double lower = std::abs(std::bit_cast<float>(below));
  // one step beyond the largest finite number counts as a number here, as IEEE 754 rounds to infinity
  const double upper = (above & 0x7FFFFFFFU) == 0x7F800000U ? 0x1p128 : std::abs(static_cast<double>(std::bit_cast<float>(above)));
  const double middle = (lower + upper) / 2;
  const double magnitude = std::abs(x);
  const bool even = (below >> 16U) % 2 == 0;
  const bool up = magnitude > middle || (magnitude == middle && !even);
  return static_cast<std::uint16_t>((up ? above : below) >> 16U);
}

}  // namespace

TEST_CASE("dtype: every name leads back to its type") {
  for (const Dtype dtype : kAll) CHECK(dtype_of(name_of(dtype)) == dtype);
  CHECK(name_of(Dtype::bf16) == "BF16");
  CHECK(name_of(Dtype::boolean) == "BOOL");
}

TEST_CASE("dtype: sizes are those of safetensors") {
  CHECK(size_of(Dtype::f64) == 8);
  CHECK(size_of(Dtype::i64) == 8);
  CHECK(size_of(Dtype::f32) == 4);
  CHECK(size_of(Dtype::bf16) == 2);
  CHECK(size_of(Dtype::f16) == 2);
  CHECK(size_of(Dtype::u16) == 2);
  CHECK(size_of(Dtype::boolean) == 1);
}

TEST_CASE("dtype: an unknown name is answered with the known ones") {
  CHECK_THROWS_WITH_AS((void)dtype_of("F8_E4M3"),
                       "dtype: 'F8_E4M3' was given; wanted one of F32 F64 BF16 F16 I8 U8 I16 U16 I32 U32 I64 U64 BOOL", DtypeError);
  CHECK_THROWS_AS((void)dtype_of("f32"), DtypeError);
}

TEST_CASE("dtype: bfloat16 rounds to the nearest, ties to even") {
  CHECK(to_bfloat16(1.0F).bits == 0x3F80);
  CHECK(to_bfloat16(std::bit_cast<float>(0x3F808000U)).bits == 0x3F80);  // a tie, downwards
  CHECK(to_bfloat16(std::bit_cast<float>(0x3F818000U)).bits == 0x3F82);  // a tie, upwards
  CHECK(to_bfloat16(std::bit_cast<float>(0x3F808001U)).bits == 0x3F81);
  CHECK(to_bfloat16(std::numeric_limits<float>::max()).bits == 0x7F80);
  CHECK(to_bfloat16(-std::numeric_limits<float>::infinity()).bits == 0xFF80);
  std::uint32_t bits = 12345;
  for (int i = 0; i < 20000; ++i) {
    bits = bits * 1664525U + 1013904223U;
    const auto x = std::bit_cast<float>(bits);
    if (!std::isfinite(x)) continue;
    CAPTURE(bits);
    REQUIRE(to_bfloat16(x).bits == nearest_bfloat16(x));
  }
}

TEST_CASE("dtype: bfloat16 keeps NaN, even one whose payload lies in the lower half") {
  CHECK(std::isnan(to_float(to_bfloat16(std::bit_cast<float>(0x7F800001U)))));
  CHECK(std::isnan(to_float(to_bfloat16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST_CASE("dtype: binary16 is widened exactly") {
  CHECK(to_float(Float16{0x3C00}) == 1.0F);
  CHECK(to_float(Float16{0xC000}) == -2.0F);
  CHECK(to_float(Float16{0x7BFF}) == 65504.0F);
  CHECK(to_float(Float16{0x0001}) == 0x1p-24F);  // the smallest subnormal
  CHECK(to_float(Float16{0x83FF}) == -1023 * 0x1p-24F);
  CHECK(to_float(Float16{0x0400}) == 0x1p-14F);
  CHECK(to_float(Float16{0x7C00}) == std::numeric_limits<float>::infinity());
  CHECK(std::signbit(to_float(Float16{0x8000})));
  CHECK(std::isnan(to_float(Float16{0x7E00})));
}

TEST_CASE("convert: floating types among each other, integer types among each other") {
  const std::array reals = {1.5F, -0.1F, 3e38F};
  std::array<double, 3> wide = {};
  convert(reals.data(), Dtype::f32, wide.data(), Dtype::f64, 3);
  CHECK(wide[1] == static_cast<double>(-0.1F));
  std::array<BFloat16, 3> narrow = {};
  convert(wide.data(), Dtype::f64, narrow.data(), Dtype::bf16, 3);
  CHECK(narrow[0].bits == 0x3FC0);
  const std::array<std::int64_t, 2> ids = {7, -9};
  std::array<std::int32_t, 2> small = {};
  convert(ids.data(), Dtype::i64, small.data(), Dtype::i32, 2);
  CHECK(small == std::array<std::int32_t, 2>{7, -9});
}

TEST_CASE("convert: copies bits within a type, binary16 and booleans included") {
  const std::array<std::uint16_t, 2> halves = {0x7E01, 0x0001};
  std::array<std::uint16_t, 2> copied = {};
  convert(halves.data(), Dtype::f16, copied.data(), Dtype::f16, 2);
  CHECK(copied == halves);
  convert(nullptr, Dtype::boolean, nullptr, Dtype::boolean, 0);
}

TEST_CASE("convert: refuses pairs of different kinds") {
  float x = 1;
  std::int32_t i = 1;
  CHECK_THROWS_WITH_AS(convert(&x, Dtype::f32, &i, Dtype::i32, 1),
                       "convert: F32 to I32 was asked for; wanted two floating or two integer types", DtypeError);
  CHECK_THROWS_AS(convert(&i, Dtype::i32, &x, Dtype::f32, 1), DtypeError);
  CHECK_THROWS_AS(convert(&x, Dtype::f32, &i, Dtype::f16, 1), DtypeError);
  CHECK_THROWS_AS(convert(&x, Dtype::boolean, &i, Dtype::u8, 1), DtypeError);
  CHECK(i == 1);
}

}  // namespace dtype_test
