// Products of a few rows with matrices [N, K]: dot products of rows, where they lie.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "engine/backend/cpu/few_rows_units.h"

namespace preamble::PREAMBLE_ISA {

/// Outputs of a matrix [N, K] whose sums are made one after the other and then added up across lanes side by side: one alone would wait for
/// each lane.
inline constexpr std::int64_t kOutputsTogether = 4;
/// Numbers of a row that are added up before they are added to the output, and as many as are read of one row before the next is.
inline constexpr std::int64_t kDotPart = 512, kDotColumns = 4096;

using FloatVector = float __attribute__((vector_size(64)));
using DoubleVector = double __attribute__((vector_size(64)));

/// As many numbers as a wide register holds, on any machine.
template <class T>
struct Lanes {
  using Vector = std::conditional_t<sizeof(T) == sizeof(double), DoubleVector, FloatVector>;
  static constexpr std::int64_t kCount = 64 / sizeof(T);

  /// sum += x w
  [[gnu::always_inline]] static void add_product(const T* x, const T* w, Vector& sum) noexcept {
    Vector a, b;
    std::memcpy(&a, x, sizeof a);
    std::memcpy(&b, w, sizeof b);
    sum += a * b;
  }
  [[gnu::always_inline]] static void store(const Vector& v, T* x) noexcept { std::memcpy(x, &v, sizeof v); }
};

/// Σ x[i] w[i] of n numbers, in four sums of lanes that do not wait for each other.
template <class T>
[[nodiscard]] inline T wide_dot(const T* x, const T* w, std::int64_t n) noexcept {
  using L = Lanes<T>;
  constexpr std::int64_t kLanes = L::kCount, kStep = 4 * kLanes;
  typename L::Vector a = {}, b = {}, c = {}, d = {};
  std::int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    L::add_product(x + i, w + i, a);
    L::add_product(x + i + kLanes, w + i + kLanes, b);
    L::add_product(x + i + 2 * kLanes, w + i + 2 * kLanes, c);
    L::add_product(x + i + 3 * kLanes, w + i + 3 * kLanes, d);
  }
  for (; i + kLanes <= n; i += kLanes) L::add_product(x + i, w + i, a);
  a = (a + b) + (c + d);
  T sum = 0;
  for (std::int64_t l = 0; l < kLanes; ++l) sum += a[l];
  for (; i < n; ++i) sum += x[i] * w[i];
  return sum;
}

#if defined(__AVX2__) && defined(__FMA__) && !defined(__AVX512F__)
/// The same sums: compilers keep vectors of 64 bytes in memory where registers have 32.
template <>
[[nodiscard]] inline float wide_dot<float>(const float* x, const float* w, std::int64_t n) noexcept {
  constexpr std::int64_t kHalf = 8, kLanes = 16, kStep = 64;
  const auto product = [&](std::int64_t i, __m256 sum) { return _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(w + i), sum); };
  __m256 a0 = _mm256_setzero_ps(), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
  std::int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    a0 = product(i, a0), a1 = product(i + kHalf, a1);
    b0 = product(i + 2 * kHalf, b0), b1 = product(i + 3 * kHalf, b1);
    c0 = product(i + 4 * kHalf, c0), c1 = product(i + 5 * kHalf, c1);
    d0 = product(i + 6 * kHalf, d0), d1 = product(i + 7 * kHalf, d1);
  }
  for (; i + kLanes <= n; i += kLanes) a0 = product(i, a0), a1 = product(i + kHalf, a1);
  float lanes[kLanes];
  _mm256_storeu_ps(static_cast<float*>(lanes), _mm256_add_ps(_mm256_add_ps(a0, b0), _mm256_add_ps(c0, d0)));
  _mm256_storeu_ps(static_cast<float*>(lanes) + kHalf, _mm256_add_ps(_mm256_add_ps(a1, b1), _mm256_add_ps(c1, d1)));
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  for (; i < n; ++i) sum += x[i] * w[i];
  return sum;
}
#endif

}  // namespace preamble::PREAMBLE_ISA

#if defined(__AVX2__) && defined(__FMA__)

#include <algorithm>

#include "engine/backend/cpu/block.h"
#include "engine/core/stored_matrix.h"

namespace preamble::PREAMBLE_ISA {

/// lanes[l] = Σ_i x[k + i] w[n, k + i] for i < count, a multiple of two units: of those i that `wide_dot` has in lane l.
template <Dtype type, int kRows>
[[gnu::always_inline]] inline void lane_sums(const StoredMatrix& w, std::int64_t n, std::int64_t k, std::int64_t count, Block<const float> x,
                                             float (*lanes)[16]) noexcept {
  constexpr int kParts = 2 * kVectors, kHalves = 16 / kVectorFloats;
  constexpr std::int64_t kLine = 64, kAhead = 2048;
  constexpr bool kScaled = type != Dtype::int8_rows;  // all numbers of a row have one scale: the sum gets it
  UnitVector parts[kRows][kParts];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kParts; ++v) parts[r][v] = same(0);
  }
  const std::byte* values = w.row(n) + k / kUnitColumns * unit_bytes<type>();
  const float* scales = w.scales + n * w.row_scales;
  for (std::int64_t i = k; i < k + count; i += 2 * kUnitColumns) {
    UnitVector numbers[kParts];
    for (std::int64_t at = 0; at < 2 * unit_bytes<type>(); at += kLine) __builtin_prefetch(values + kAhead + at, 0, 2);
    make_unit<type, kScaled>(values, scales + scales_before<type>(i), static_cast<UnitVector*>(numbers));
    make_unit<type, kScaled>(values + unit_bytes<type>(), scales + scales_before<type>(i + kUnitColumns), numbers + kVectors);
    values += 2 * unit_bytes<type>();
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kParts; ++v) {
        parts[r][v] = add_product(load_vector(x.data + r * x.stride + i + v * kVectorFloats), numbers[v], parts[r][v]);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    const UnitVector* p = parts[r];
    for (int h = 0; h < kHalves; ++h) {
      store_vector(lanes[r] + h * kVectorFloats, plus(plus(p[h], p[h + kHalves]), plus(p[h + 2 * kHalves], p[h + 3 * kHalves])));
    }
  }
}

/// sums[o, r] += Σ_i x[r, k + i] w[n + o, k + i] for kRows rows, `outputs` rows of w, and i < count, a multiple of two units and kDotColumns at
/// most: the sum of each kDotPart numbers in the order of `wide_dot`. Rows of w are read one behind the other.
template <Dtype type, int kRows>
void add_dots(const StoredMatrix& w, std::int64_t n, std::int64_t outputs, std::int64_t k, std::int64_t count, Block<const float> x,
              Block<float> sums) noexcept {
  constexpr std::int64_t kMostParts = kDotColumns / kDotPart;
  alignas(64) float lanes[kMostParts][kOutputsTogether][kRows][16];
  for (std::int64_t o = 0; o < outputs; ++o) {
    for (std::int64_t part = 0; part * kDotPart < count; ++part) {
      const std::int64_t first = part * kDotPart;
      lane_sums<type, kRows>(w, n + o, k + first, std::min(kDotPart, count - first), x, static_cast<float(*)[16]>(lanes[part][o]));
    }
  }
  for (std::int64_t part = 0; part * kDotPart < count; ++part) {
    for (std::int64_t o = outputs; o < kOutputsTogether; ++o) std::fill_n(&lanes[part][o][0][0], kRows * 16, 0.0F);
    float all[kOutputsTogether][kRows] = {};
    for (int l = 0; l < 16; ++l) {
      for (int o = 0; o < kOutputsTogether; ++o) {
        for (int r = 0; r < kRows; ++r) all[o][r] += lanes[part][o][r][l];
      }
    }
    for (std::int64_t o = 0; o < outputs; ++o) {
      const float scale = type == Dtype::int8_rows ? w.scales[(n + o) * w.row_scales] : 1.0F;
      for (int r = 0; r < kRows; ++r) sums.data[o * sums.stride + r] += scale * all[o][r];
    }
  }
}

template <Dtype type>
void add_dots(const StoredMatrix& w, std::int64_t n, std::int64_t outputs, std::int64_t k, std::int64_t count, std::int64_t rows,
              Block<const float> x, Block<float> sums) noexcept {
  std::int64_t r = 0;
  for (; r + kRowsAUnit <= rows; r += kRowsAUnit) {
    add_dots<type, kRowsAUnit>(w, n, outputs, k, count, {x.data + r * x.stride, x.stride}, {sums.data + r, sums.stride});
  }
  for (; r < rows; ++r) add_dots<type, 1>(w, n, outputs, k, count, {x.data + r * x.stride, x.stride}, {sums.data + r, sums.stride});
}

/// The same for any number of rows. False: matrices of this type are not made in registers, and nothing was added.
[[nodiscard]] inline bool add_dots(const StoredMatrix& w, std::int64_t n, std::int64_t outputs, std::int64_t k, std::int64_t count,
                                   std::int64_t rows, Block<const float> x, Block<float> sums) noexcept {
  return with_unit_type(w.dtype, [&]<Dtype type>() { add_dots<type>(w, n, outputs, k, count, rows, x, sums); });
}

}  // namespace preamble::PREAMBLE_ISA

#endif
