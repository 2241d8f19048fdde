// Eight neighbouring numbers of a stored matrix: what a thread of a GPU decodes at a time. Also compiled for the host, where tests compare it
// with `decode_row`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/backend/cuda/host_device.h"
#include "engine/core/stored_matrix.h"

namespace preamble::cuda {

/// How a matrix that is neither float32 nor bf16 is decoded. Types that differ in their groups alone share a format.
enum class StoredFormat : std::uint8_t { f16, int8_rows, int8_columns, int4, nf4, q8_0, q4_0, q4_k, q6_k };

// the numbers of NF4, as `decode_row` has them; lanes of a warp read different ones of one line
#define PREAMBLE_NF4                                                                                                                       \
  {-1.0F, -0.6961928009986877F, -0.5250730514526367F, -0.39491748809814453F, -0.28444138169288635F, -0.18477343022823334F,                 \
   -0.09105003625154495F, 0.0F, 0.07958029955625534F, 0.16093020141124725F, 0.24611230194568634F, 0.33791524171829224F,                    \
   0.44070982933044434F, 0.5626170039176941F, 0.7229568362236023F, 1.0F}
#ifdef __CUDACC__
static __device__ const float kNf4OfDevice[16] = PREAMBLE_NF4;
#endif
inline constexpr float kNf4OfHost[16] = PREAMBLE_NF4;
#undef PREAMBLE_NF4

[[nodiscard]] PREAMBLE_HOST_AND_DEVICE inline float nf4_number(std::uint32_t code) noexcept {
#ifdef __CUDA_ARCH__
  return kNf4OfDevice[code];
#else
  return kNf4OfHost[code];
#endif
}

/// Eight bytes from anywhere, the first one lowest.
[[nodiscard]] PREAMBLE_HOST_AND_DEVICE inline std::uint64_t eight_bytes(const std::byte* from) noexcept {
  std::uint64_t bits = 0;
#ifdef __CUDA_ARCH__
  const auto address = reinterpret_cast<std::uintptr_t>(from);
  if (address % 8 == 0) return *reinterpret_cast<const std::uint64_t*>(from);
  if (address % 2 == 0) {
    const auto* words = reinterpret_cast<const std::uint16_t*>(from);
#pragma unroll
    for (int i = 0; i < 4; ++i) bits |= static_cast<std::uint64_t>(words[i]) << (16U * i);
    return bits;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) bits |= static_cast<std::uint64_t>(from[i]) << (8U * i);
#else
  std::memcpy(&bits, from, sizeof bits);
#endif
  return bits;
}

/// The first `left` of eight bytes; 0 for the others.
[[nodiscard]] PREAMBLE_HOST_AND_DEVICE inline std::uint64_t some_bytes(const std::byte* from, std::int64_t left) noexcept {
  if (left >= 8) return eight_bytes(from);
  std::uint64_t bits = 0;
  for (std::int64_t i = 0; i < left; ++i) bits |= static_cast<std::uint64_t>(from[i]) << (8U * static_cast<unsigned>(i));
  return bits;
}

/// Byte i of eight.
[[nodiscard]] PREAMBLE_HOST_AND_DEVICE inline std::uint32_t byte_of(std::uint64_t bits, int i) noexcept {
  return static_cast<std::uint32_t>(bits >> (8 * i)) & 0xFFU;
}
[[nodiscard]] PREAMBLE_HOST_AND_DEVICE inline float signed_byte_of(std::uint64_t bits, int i) noexcept {
  return static_cast<float>(static_cast<std::int8_t>(byte_of(bits, i)));
}

[[nodiscard]] PREAMBLE_HOST_AND_DEVICE inline float half_number(std::uint16_t bits) noexcept {
#ifdef __CUDA_ARCH__
  // the instruction of __half2float, without CUDA's header: host tests include this file
  float number;
  asm("cvt.f32.f16 %0, %1;" : "=f"(number) : "h"(bits));
  return number;
#else
  return to_float(Float16{bits});
#endif
}
/// The F16 at an even address.
[[nodiscard]] PREAMBLE_HOST_AND_DEVICE inline float half_number(const std::byte* from) noexcept {
  std::uint16_t bits = 0;
#ifdef __CUDA_ARCH__
  bits = *reinterpret_cast<const std::uint16_t*>(from);
#else
  std::memcpy(&bits, from, sizeof bits);
#endif
  return half_number(bits);
}

/// v[i] = w[row, column + i] for i < min(left, 8), 0 for the others. `column` is a multiple of 8, `left` what there is from it to the end of the
/// row. As in `decode_row`, quantised values are products of float32 numbers.
template <StoredFormat format>
PREAMBLE_HOST_AND_DEVICE inline void decode_octet(const StoredMatrix& w, std::int64_t row, std::int64_t column, std::int64_t left,
                                                  float (&v)[8]) noexcept {
  const std::byte* values = w.values + row * w.row_bytes;
  if constexpr (format == StoredFormat::f16) {
    const std::byte* from = values + 2 * column;
    const std::uint64_t low = some_bytes(from, 2 * left), high = left > 4 ? some_bytes(from + 8, 2 * left - 8) : 0;
    for (int i = 0; i < 4; ++i) {
      v[i] = half_number(static_cast<std::uint16_t>(low >> (16 * i)));
      v[4 + i] = half_number(static_cast<std::uint16_t>(high >> (16 * i)));
    }
    return;
  }
  if constexpr (format == StoredFormat::int8_rows || format == StoredFormat::int8_columns) {
    const std::uint64_t q = some_bytes(values + column, left);
    for (int i = 0; i < 8; ++i) {
      if constexpr (format == StoredFormat::int8_rows) {
        v[i] = w.scales[row] * signed_byte_of(q, i);
      } else {
        v[i] = i < left ? w.scales[column + i] * signed_byte_of(q, i) : 0.0F;
      }
    }
    return;
  }
  if constexpr (format == StoredFormat::int4 || format == StoredFormat::nf4) {
    // groups of 32 are whole in memory, whatever the number of columns
    const float scale = w.scales[row * w.row_scales + column / w.group];
    const std::uint64_t bytes = eight_bytes(values + column / 32 * 16 + column % 16);
    const int shift = column % 32 < 16 ? 0 : 4;
    for (int i = 0; i < 8; ++i) {
      const std::uint32_t code = byte_of(bytes, i) >> shift & 15U;
      const float number = format == StoredFormat::nf4 ? nf4_number(code) : static_cast<float>(static_cast<int>(code) - 8);
      v[i] = i < left ? scale * number : 0.0F;
    }
    return;
  }
  // blocks of GGUF are whole: no octet ends early
  if constexpr (format == StoredFormat::q8_0) {
    const std::byte* block = values + column / 32 * 34;
    const float d = half_number(block);
    const std::uint64_t q = eight_bytes(block + 2 + column % 32);
    for (int i = 0; i < 8; ++i) v[i] = d * signed_byte_of(q, i);
  }
  if constexpr (format == StoredFormat::q4_0) {
    const std::byte* block = values + column / 32 * 18;
    const float d = half_number(block);
    const std::uint64_t bytes = eight_bytes(block + 2 + column % 16);
    const int shift = column % 32 < 16 ? 0 : 4;
    for (int i = 0; i < 8; ++i) v[i] = d * static_cast<float>(static_cast<int>(byte_of(bytes, i) >> shift & 15U) - 8);
  }
  if constexpr (format == StoredFormat::q4_k) {
    const std::byte* block = values + column / 256 * 144;
    const int part = static_cast<int>(column % 256 / 32);
    const auto packed = [&](int i) { return static_cast<int>(block[4 + i]); };
    const int scale = part < 4 ? packed(part) & 63 : (packed(part + 4) & 15) | (packed(part - 4) >> 6) << 4;
    const int minimum = part < 4 ? packed(part + 4) & 63 : packed(part + 4) >> 4 | (packed(part) >> 6) << 4;
    const float factor = half_number(block) * static_cast<float>(scale), below = half_number(block + 2) * static_cast<float>(minimum);
    const std::uint64_t bytes = eight_bytes(block + 16 + part / 2 * 32 + column % 32);
    const int shift = part % 2 * 4;
    for (int i = 0; i < 8; ++i) v[i] = factor * static_cast<float>(byte_of(bytes, i) >> shift & 15U) - below;
  }
  if constexpr (format == StoredFormat::q6_k) {
    const std::byte* block = values + column / 256 * 210;
    const int part = static_cast<int>(column % 256 / 16), half = part / 8, quarter = part % 8 / 2;
    const int first = part % 2 * 16 + static_cast<int>(column % 16);
    const std::uint64_t low = eight_bytes(block + 64 * half + quarter % 2 * 32 + first);
    const std::uint64_t high = eight_bytes(block + 128 + 32 * half + first);
    const int low_shift = quarter / 2 * 4, high_shift = quarter * 2;
    const float factor = half_number(block + 208) * signed_byte_of(static_cast<std::uint64_t>(block[192 + part]), 0);
    for (int i = 0; i < 8; ++i) {
      const auto q = static_cast<int>((byte_of(low, i) >> low_shift & 15U) | (byte_of(high, i) >> high_shift & 3U) << 4);
      v[i] = factor * static_cast<float>(q - 32);
    }
  }
}

/// Calls `body.template operator()<format>()`; false for a type of no such format.
template <class Body>
bool with_format(Dtype stored, const Body& body) {
  using F = StoredFormat;
  switch (stored) {
    case Dtype::f16: return body.template operator()<F::f16>(), true;
    case Dtype::int8_rows: return body.template operator()<F::int8_rows>(), true;
    case Dtype::int8_columns: return body.template operator()<F::int8_columns>(), true;
    case Dtype::int4_32:
    case Dtype::int4_64: return body.template operator()<F::int4>(), true;
    case Dtype::nf4_32:
    case Dtype::nf4_64: return body.template operator()<F::nf4>(), true;
    case Dtype::q8_0: return body.template operator()<F::q8_0>(), true;
    case Dtype::q4_0: return body.template operator()<F::q4_0>(), true;
    case Dtype::q4_k: return body.template operator()<F::q4_k>(), true;
    case Dtype::q6_k: return body.template operator()<F::q6_k>(), true;
    default: return false;
  }
}

}  // namespace preamble::cuda
