// Products of a handful of rows, which are reads of their weights: a decoding step has one row a sequence.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "engine/backend/cpu/block.h"
#include "engine/backend/cpu/few_rows_limit.h"
#include "engine/backend/cpu/few_rows_units.h"
#include "engine/backend/cpu/stored_part.h"
#include "engine/core/parallel.h"

namespace preamble::PREAMBLE_ISA {

using FloatVector = float __attribute__((vector_size(64)));
using DoubleVector = double __attribute__((vector_size(64)));
using WordVector = std::uint32_t __attribute__((vector_size(64)));

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

/// y[r, n] = Σ_k x[r, k] w[n, k] (+ y): a task has some rows of w.
template <class T>
void few_rows_of_outputs(const StoredMatrix& w, std::int64_t rows, Block<const T> x, Block<T> y, bool add) {
  constexpr std::int64_t kElements = 1 << 15, kChunk = 512;
  const std::int64_t grain = std::max<std::int64_t>(1, kElements / std::max<std::int64_t>(w.columns, 1));
  parallel_for(w.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    T converted[kChunk];
    T sums[cpu::kFewRows];
    for (std::int64_t n = begin; n < end; ++n) {
      for (std::int64_t r = 0; r < rows; ++r) sums[r] = add ? y.data[r * y.stride + n] : T(0);
      for (std::int64_t k = 0; k < w.columns; k += kChunk) {
        const std::int64_t count = std::min(kChunk, w.columns - k);
#if defined(__AVX2__) && defined(__FMA__)
        if constexpr (std::is_same_v<T, float>) {
          if (w.dtype != Dtype::f32 && count % (2 * kUnitColumns) == 0 && add_dots(w, n, k, count, rows, x, static_cast<float*>(sums)))
            continue;
        }
#endif
        const T* part = read_here(w, {n, 1, k, count}, static_cast<T*>(converted)).data;
        for (std::int64_t r = 0; r < rows; ++r) sums[r] += wide_dot(x.data + r * x.stride + k, part, count);
      }
      for (std::int64_t r = 0; r < rows; ++r) y.data[r * y.stride + n] = sums[r];
    }
  });
}

/// Rows of w that are added to the outputs at a time.
inline constexpr std::int64_t kInputsTogether = 4;

/// y[r, i] += Σ_j x[r, j] w[j, i] for as many rows j of w, kInputsTogether at most, and `count` columns.
template <class T>
void add_inputs(const Block<const T>& w, std::int64_t together, std::int64_t rows, Block<const T> x, Block<T> y,
                std::int64_t count) noexcept {
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* xs = x.data + r * x.stride;
    T* ys = y.data + r * y.stride;
    const T* w0 = w.data;
    if (together == kInputsTogether) {
      const T *w1 = w0 + w.stride, *w2 = w1 + w.stride, *w3 = w2 + w.stride;
      const T x0 = xs[0], x1 = xs[1], x2 = xs[2], x3 = xs[3];
#pragma omp simd
      for (std::int64_t i = 0; i < count; ++i) ys[i] += x0 * w0[i] + x1 * w1[i] + (x2 * w2[i] + x3 * w3[i]);
      continue;
    }
    for (std::int64_t j = 0; j < together; ++j, w0 += w.stride) {
      const T factor = xs[j];
#pragma omp simd
      for (std::int64_t i = 0; i < count; ++i) ys[i] += factor * w0[i];
    }
  }
}

/// y[r, i] += Σ_j x[r, j] w[j, i] for columns [first, first + count) and as many rows j of w from `k` on as the result says. `converted`:
/// memory for kUnitRows rows of the columns.
template <class T>
std::int64_t add_inputs_here(const StoredMatrix& w, std::int64_t k, std::int64_t rows, Block<const T> x, Block<T> y, std::int64_t first,
                             std::int64_t count, T* converted) noexcept {
#if defined(__AVX2__) && defined(__FMA__)
  if constexpr (std::is_same_v<T, float>) {
    if (k + kUnitRows <= w.rows && count % kUnitColumns == 0) {
      fetch(w, {k + kUnitRows, kUnitRows, first, count});
      if (!add_units(w, k, rows, x, y, first, count)) {
        const float* numbers = read_here(w, {k, kUnitRows, first, count}, converted).data;
        add_units<Dtype::f32>(StoredMatrix::of(Dtype::f32, kUnitRows, count, numbers), 0, rows, {x.data + k, x.stride},
                              {y.data + first, y.stride}, 0, count);
      }
      return kUnitRows;
    }
  }
#endif
  const std::int64_t together = std::min(kInputsTogether, w.rows - k);
  const Block<const T> part = read_here(w, {k, together, first, count}, converted);
  add_inputs<T>(part, together, rows, {x.data + k, x.stride}, {y.data + first, y.stride}, count);
  return together;
}

/// y[r, n] = Σ_k x[r, k] w[k, n] (+ y): a task has some columns of w. The sum of an output does not depend on whose it is, so each thread
/// has one task, whose parts of rows are as long as can be: memory is read fastest in long stretches.
template <class T>
void few_rows_of_inputs(const StoredMatrix& w, std::int64_t rows, Block<const T> x, Block<T> y, bool add) {
  constexpr std::int64_t kColumns = 256, kConverted = kUnitRows * kColumns;
  const std::int64_t strips = (w.columns + kColumns - 1) / kColumns;
  const std::int64_t strips_a_task = std::max<std::int64_t>(1, (strips + threads() - 1) / threads());
  parallel_for(w.columns, strips_a_task * kColumns, [&](std::int64_t begin, std::int64_t end) {
    T converted[kConverted];
    for (std::int64_t r = 0; !add && r < rows; ++r) std::fill_n(y.data + r * y.stride + begin, end - begin, T(0));
    for (std::int64_t k = 0; k < w.rows; k += kUnitRows) {
      for (std::int64_t first = begin; first < end; first += kColumns) {
        const std::int64_t count = std::min(kColumns, end - first), last = std::min(k + kUnitRows, w.rows);
        for (std::int64_t j = k; j < last;) j += add_inputs_here<T>(w, j, rows, x, y, first, count, static_cast<T*>(converted));
      }
    }
  });
}

/// y [rows, N] = x [rows, K] W (+ y) for at most `cpu::kFewRows` rows and a matrix [N, K] (out_in) or [K, N], read where it lies and
/// converted in registers and the first cache. All threads take part; sums do not depend on their number. Not for use inside
/// `parallel_for`.
template <class T>
void few_rows_product(const StoredMatrix& w, bool out_in, std::int64_t rows, Block<const T> x, Block<T> y, bool add) {
  if (out_in) {
    few_rows_of_outputs(w, rows, x, y, add);
  } else {
    few_rows_of_inputs(w, rows, x, y, add);
  }
}

}  // namespace preamble::PREAMBLE_ISA
