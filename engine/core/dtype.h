// Element types and their conversions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace preamble {

/// Element type of a tensor, in memory and in safetensors files. Behind `boolean` stand the quantised types, in which frozen matrices alone
/// are held: their elements share scales, and `StoredMatrix` says where these lie.
enum class Dtype : std::uint8_t {
  f32,
  f64,
  bf16,
  f16,
  i8,
  u8,
  i16,
  u16,
  i32,
  u32,
  i64,
  u64,
  boolean,
  int8_rows,     ///< int8, one scale a row: the output channels of [out, in]
  int8_columns,  ///< int8, one scale a column: the output channels of [in, out]
  int4_32,       ///< symmetric 4-bit numbers, one scale for 32 elements of a row
  int4_64,       ///< the same for 64
  nf4_32,        ///< NF4 of QLoRA (Dettmers et al. 2023, appendix E), one scale for 32 elements of a row
  nf4_64,        ///< the same for 64
  q8_0,          ///< blocks of GGUF: 32 int8 and an F16 scale
  q4_0,          ///< 32 4-bit numbers and an F16 scale
  q4_k,          ///< 256 4-bit numbers, 8 scales and minima of 6 bits, an F16 factor for each
  q6_k,          ///< 256 6-bit numbers, 16 scales of 8 bits, an F16 factor
};

[[nodiscard]] constexpr bool is_quantised(Dtype dtype) noexcept { return dtype > Dtype::boolean; }

/// Bytes of one element; 0 for a quantised type, whose bytes are those of a whole matrix (`bytes_of`).
[[nodiscard]] std::size_t size_of(Dtype dtype) noexcept;

/// Name as in safetensors: `F32`, `BF16`, `I64`, `BOOL`, ...; of a quantised type: `INT8_ROWS`, `NF4_64`, `Q4_K`, ...
[[nodiscard]] std::string_view name_of(Dtype dtype) noexcept;

/// Inverse of `name_of`. Throws DtypeError for an unknown name.
[[nodiscard]] Dtype dtype_of(std::string_view name);

[[nodiscard]] constexpr bool is_floating(Dtype dtype) noexcept {
  return dtype == Dtype::f32 || dtype == Dtype::f64 || dtype == Dtype::bf16 || dtype == Dtype::f16;
}

/// bfloat16 as bits: the upper half of a float32.
struct BFloat16 {
  std::uint16_t bits;
};

/// IEEE binary16 as bits.
struct Float16 {
  std::uint16_t bits;
};

template <class T>
inline constexpr Dtype dtype_v = Dtype::f32;
template <>
inline constexpr Dtype dtype_v<float> = Dtype::f32;
template <>
inline constexpr Dtype dtype_v<double> = Dtype::f64;
template <>
inline constexpr Dtype dtype_v<BFloat16> = Dtype::bf16;
template <>
inline constexpr Dtype dtype_v<Float16> = Dtype::f16;
template <>
inline constexpr Dtype dtype_v<std::int32_t> = Dtype::i32;
template <>
inline constexpr Dtype dtype_v<std::int64_t> = Dtype::i64;
template <>
inline constexpr Dtype dtype_v<std::uint8_t> = Dtype::u8;

[[nodiscard]] float to_float(BFloat16 x) noexcept;
[[nodiscard]] float to_float(Float16 x) noexcept;
/// Rounds to nearest, ties to even; NaN stays NaN.
[[nodiscard]] BFloat16 to_bfloat16(float x) noexcept;

/// Copies `count` elements from `source` of type `from` to `target` of type `to`. Floating types convert among each
/// other (F16 as target excepted), integer types among each other. Throws DtypeError for any other pair, quantised types among them.
void convert(const void* source, Dtype from, void* target, Dtype to, std::size_t count);

}  // namespace preamble
