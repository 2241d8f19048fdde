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
  const double mean = kind == NormKind::layer ? sum_of(x, n) / count : 0.0;
  const double rstd = 1.0 / std::sqrt(squares_of(x, mean, n) / count + epsilon);
  return {static_cast<T>(mean), static_cast<T>(rstd)};
}

}  // namespace preamble::PREAMBLE_ISA
