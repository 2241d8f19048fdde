// The softmax over the rows of a segment, column by column.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <cmath>
#include <cstdint>

#include "engine/backend/cpu/math.h"
#include "engine/core/rows.h"

namespace preamble::PREAMBLE_ISA {

/// Segments that are worth a task.
inline constexpr std::int64_t kSegmentsATask = 8;

/// What makes p[r] = exp(x[r] - shift) / sum.
template <class T>
struct SegmentSoftmax {
  T shift = 0;
  double sum = 0;

  /// `x`: a column of `count` rows, `stride` apart; count > 0.
  SegmentSoftmax(const T* x, std::int64_t count, std::int64_t stride) noexcept : shift(x[0]) {
    for (std::int64_t r = 1; r < count; ++r) shift = x[r * stride] > shift ? x[r * stride] : shift;
    for (std::int64_t r = 0; r < count; ++r) sum += static_cast<double>(exp_of(x[r * stride] - shift));
  }
  /// Negative log likelihood of a row.
  [[nodiscard]] double nll(T x) const noexcept { return std::log(sum) + (static_cast<double>(shift) - static_cast<double>(x)); }
};

}  // namespace preamble::PREAMBLE_ISA
