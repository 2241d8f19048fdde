// Rows of stored matrices as numbers to compute with.
// Compiled once for each instruction set, and once for the loader: the including file says in which namespace.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/core/decode_group.h"
#include "engine/core/stored_matrix.h"

namespace preamble::PREAMBLE_ISA {

/// Elements [first, first + count) of a row that is coded in groups of `kSize`; decode(group, to) gives a whole one.
template <int kSize, class T, class Decode>
[[gnu::always_inline]] inline void decode_groups(std::int64_t first, std::int64_t count, T* to, const Decode& decode) noexcept {
  const std::int64_t last = first + count;
  for (std::int64_t g = first / kSize; g * kSize < last; ++g) {
    const std::int64_t begin = std::max(first, g * kSize), end = std::min(last, (g + 1) * kSize);
    if (end - begin == kSize) {
      decode(g, to + (begin - first));
      continue;
    }
    T whole[kSize];
    decode(g, static_cast<T*>(whole));
    std::copy_n(whole + (begin - g * kSize), end - begin, to + (begin - first));
  }
}

/// to[i] = w[row, first + i] for i < count. Quantised values are products of float32 numbers, whatever T is.
template <class T>
void decode_row(const StoredMatrix& w, std::int64_t row, std::int64_t first, std::int64_t count, T* to) noexcept {
  const std::byte* values = w.row(row);
  const float* scales = w.scales == nullptr ? nullptr : w.scales + row * w.row_scales;
  const auto elements = [&]<class From>(From) { widen_row(reinterpret_cast<const From*>(values) + first, to, count); };
  const auto int8 = [&](const auto& scale_of) {
    const auto* q = reinterpret_cast<const std::int8_t*>(values) + first;
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<T>(scale_of(i) * static_cast<float>(q[i]));
  };
  switch (w.dtype) {
    case Dtype::f32: return elements(float{});
    case Dtype::f64: return elements(double{});
    case Dtype::bf16: return elements(BFloat16{});
    case Dtype::f16: return elements(Float16{});
    case Dtype::int8_rows: {
      const float scale = *scales;
      return int8([scale](std::int64_t) { return scale; });
    }
    case Dtype::int8_columns: {
      const float* own = scales + first;
      return int8([own](std::int64_t i) { return own[i]; });
    }
    case Dtype::int4_32:
    case Dtype::int4_64: {
      const std::int64_t groups = w.group / 32;
      return decode_groups<32>(first, count, to, [&](std::int64_t g, T* out) { decode_int4(values + 16 * g, scales[g / groups], out); });
    }
    case Dtype::nf4_32:
    case Dtype::nf4_64: {
      const std::int64_t groups = w.group / 32;
      return decode_groups<32>(first, count, to, [&](std::int64_t g, T* out) { decode_nf4(values + 16 * g, scales[g / groups], out); });
    }
    case Dtype::q8_0: return decode_groups<32>(first, count, to, [&](std::int64_t g, T* out) { decode_q8_0(values + 34 * g, out); });
    case Dtype::q4_0: return decode_groups<32>(first, count, to, [&](std::int64_t g, T* out) { decode_q4_0(values + 18 * g, out); });
    case Dtype::q4_k: return decode_groups<256>(first, count, to, [&](std::int64_t g, T* out) { decode_q4_k(values + 144 * g, out); });
    case Dtype::q6_k: return decode_groups<256>(first, count, to, [&](std::int64_t g, T* out) { decode_q6_k(values + 210 * g, out); });
    default: return;  // whole numbers are no matrix of a linear map
  }
}

}  // namespace preamble::PREAMBLE_ISA
