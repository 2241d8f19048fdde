// Products of a handful of rows, which are reads of their weights: a decoding step has one row a sequence.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "engine/backend/cpu/block.h"
#include "engine/backend/cpu/few_rows_inputs.h"
#include "engine/backend/cpu/few_rows_limit.h"
#include "engine/backend/cpu/few_rows_outputs.h"
#include "engine/backend/cpu/stored_part.h"
#include "engine/core/parallel.h"

namespace preamble::PREAMBLE_ISA {

/// sums[o, r] += Σ_i x[r, k + i] w[n + o, k + i] for so many outputs o and `count` numbers i, kDotColumns at most.
template <class T>
void add_outputs_here(const StoredMatrix& w, std::int64_t n, std::int64_t outputs, std::int64_t k, std::int64_t count, std::int64_t rows,
                      Block<const T> x, Block<T> sums) noexcept {
#if defined(__AVX2__) && defined(__FMA__)
  if constexpr (std::is_same_v<T, float>) {
    if (w.dtype != Dtype::f32 && count % (2 * kUnitColumns) == 0 && add_dots(w, n, outputs, k, count, rows, x, sums)) return;
  }
#endif
  T converted[kDotPart];
  for (std::int64_t o = 0; o < outputs; ++o) {
    for (std::int64_t first = k; first < k + count; first += kDotPart) {
      const std::int64_t numbers = std::min(kDotPart, k + count - first);
      const T* part = read_here(w, {n + o, 1, first, numbers}, static_cast<T*>(converted)).data;
      for (std::int64_t r = 0; r < rows; ++r) sums.data[o * sums.stride + r] += wide_dot(x.data + r * x.stride + first, part, numbers);
    }
  }
}

/// y[r, n] = Σ_k x[r, k] w[n, k] (+ y): a task has some rows of w.
template <class T>
void few_rows_of_outputs(const StoredMatrix& w, std::int64_t rows, Block<const T> x, Block<T> y, bool add) {
  constexpr std::int64_t kElements = 1 << 15;
  const std::int64_t grain =
      std::max(kOutputsTogether, kElements / std::max<std::int64_t>(w.columns, 1) / kOutputsTogether * kOutputsTogether);
  parallel_for(w.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    T memory[kOutputsTogether * cpu::kFewRows];
    const Block<T> sums = {static_cast<T*>(memory), cpu::kFewRows};
    for (std::int64_t n = begin; n < end; n += kOutputsTogether) {
      const std::int64_t outputs = std::min(kOutputsTogether, end - n);
      for (std::int64_t o = 0; o < outputs; ++o) {
        for (std::int64_t r = 0; r < rows; ++r) sums.data[o * sums.stride + r] = add ? y.data[r * y.stride + n + o] : T(0);
      }
      for (std::int64_t k = 0; k < w.columns; k += kDotColumns) {
        add_outputs_here(w, n, outputs, k, std::min(kDotColumns, w.columns - k), rows, x, sums);
      }
      for (std::int64_t o = 0; o < outputs; ++o) {
        for (std::int64_t r = 0; r < rows; ++r) y.data[r * y.stride + n + o] = sums.data[o * sums.stride + r];
      }
    }
  });
}

/// y[r, i] += Σ_j x[r, j] w[j, i] for as many rows j of w, kUnitRows at most, and `count` columns.
template <class T>
void add_inputs(const Block<const T>& w, std::int64_t together, std::int64_t rows, Block<const T> x, Block<T> y,
                std::int64_t count) noexcept {
  std::int64_t first = 0;
#if defined(__AVX2__) && defined(__FMA__)
  if constexpr (std::is_same_v<T, float>) {
    first = count / kUnitColumns * kUnitColumns;
    StoredMatrix units = StoredMatrix::of(Dtype::f32, together, count, w.data);
    units.row_bytes = w.stride * static_cast<std::int64_t>(sizeof(float));
    add_units<Dtype::f32>(units, {0, together, 0, first}, rows, x, y);
  }
#endif
  for (std::int64_t r = 0; r < rows; ++r) {
    T* ys = y.data + r * y.stride;
    for (std::int64_t j = 0; j < together; ++j) {
      const T factor = x.data[r * x.stride + j];
      const T* row = w.data + j * w.stride;
#pragma omp simd
      for (std::int64_t i = first; i < count; ++i) ys[i] += factor * row[i];
    }
  }
}

/// y[r, i] += Σ_k x[r, k] w[k, i] for columns [first, first + count): numbers are converted for some rows of w at a time.
template <class T>
void add_converted_inputs(const StoredMatrix& w, std::int64_t rows, Block<const T> x, Block<T> y, std::int64_t first,
                          std::int64_t count) noexcept {
  constexpr std::int64_t kColumns = 256;
  T converted[kUnitRows * kColumns];
  for (std::int64_t k = 0; k < w.rows; k += kUnitRows) {
    const std::int64_t together = std::min(kUnitRows, w.rows - k);
    fetch(w, {k + kUnitRows, kUnitRows, first, count});
    for (std::int64_t i = first; i < first + count; i += kColumns) {
      const std::int64_t columns = std::min(kColumns, first + count - i);
      const Block<const T> part = read_here(w, {k, together, i, columns}, static_cast<T*>(converted));
      add_inputs<T>(part, together, rows, {x.data + k, x.stride}, {y.data + i, y.stride}, columns);
    }
  }
}

/// y[r, n] = Σ_k x[r, k] w[k, n] (+ y): a task has some columns of w. The sum of an output does not depend on whose it is, so each thread
/// has one task, whose parts of rows are as long as can be: memory is read fastest in long stretches.
template <class T>
void few_rows_of_inputs(const StoredMatrix& w, std::int64_t rows, Block<const T> x, Block<T> y, bool add) {
  constexpr std::int64_t kColumns = 256;
  const std::int64_t strips = (w.columns + kColumns - 1) / kColumns;
  const std::int64_t strips_a_task = std::max<std::int64_t>(1, (strips + threads() - 1) / threads());
  parallel_for(w.columns, strips_a_task * kColumns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = 0; !add && r < rows; ++r) std::fill_n(y.data + r * y.stride + begin, end - begin, T(0));
#if defined(__AVX2__) && defined(__FMA__)
    if constexpr (std::is_same_v<T, float>) {
      constexpr std::int64_t kSums = 1 << 14;
      float sums[kSums];
      const std::int64_t most = kSums / rows / kColumns * kColumns;
      while (begin < end) {
        const std::int64_t columns = std::min(most, end - begin) / kUnitColumns * kUnitColumns;
        if (columns == 0 || !add_all_units(w, begin, columns, rows, x, {y.data + begin, y.stride}, static_cast<float*>(sums))) break;
        begin += columns;
      }
    }
#endif
    if (begin < end) add_converted_inputs(w, rows, x, y, begin, end - begin);
  });
}

/// y [rows, N] = x [rows, K] W (+ y) for at most `cpu::kFewRows` rows and a matrix [N, K] (out_in) or [K, N], read where it lies and
/// converted in registers and the first cache. All threads take part; sums do not depend on their number. Not for use inside
/// `parallel_for`.
template <class T>
void few_rows_product(const StoredMatrix& w, bool out_in, std::int64_t rows, Block<const T> x, Block<T> y, bool add) {
  if (rows == 0) return;
  if (out_in) {
    few_rows_of_outputs(w, rows, x, y, add);
  } else {
    few_rows_of_inputs(w, rows, x, y, add);
  }
}

}  // namespace preamble::PREAMBLE_ISA
