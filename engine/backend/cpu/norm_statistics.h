// Mean and deviation of a row, for norm and its gradient.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <cmath>

#include "engine/backend/cpu/math.h"
#include "engine/ops/norm.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
struct RowStatistics {
  T mean;  ///< 0 for rms
  T rstd;
};

template <class T>
[[nodiscard]] inline RowStatistics<T> statistics_of(NormKind kind, double epsilon, const T* x, std::int64_t n) noexcept {
  const double count = static_cast<double>(n);
  if (kind == NormKind::rms) return {T(0), static_cast<T>(1.0 / std::sqrt(dot_of(x, x, n) / count + epsilon))};
  // one pass, about an element of the row: with double sums nothing is lost to cancellation
  const double origin = static_cast<double>(x[0]);
  double sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum, squares)
  for (std::int64_t i = 0; i < n; ++i) {
    const double d = static_cast<double>(x[i]) - origin;
    sum += d;
    squares += d * d;
  }
  const double offset = sum / count;
  const double variance = squares / count - offset * offset;
  return {static_cast<T>(origin + offset), static_cast<T>(1.0 / std::sqrt((variance > 0 ? variance : 0) + epsilon))};
}

}  // namespace preamble::PREAMBLE_ISA
