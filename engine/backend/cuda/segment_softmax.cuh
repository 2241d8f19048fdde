// The softmax over the rows of a segment, column by column. Included by .cu files alone.
#pragma once

#include <cmath>

#include "engine/backend/cuda/real.cuh"
#include "engine/backend/cuda/reduce.cuh"
#include "engine/backend/cuda/rows.cuh"

namespace preamble::cuda {

/// Which column of which segment a warp owns; its lanes share the rows.
struct SegmentColumn {
  std::int64_t segment, column, begin, rows;
  std::int32_t label;  ///< below 0: no term

  /// For warp `index` of `Matrix size` (the logits); `rows` 0 if there is no such segment.
  __device__ SegmentColumn(const Matrix& size, const std::int32_t* labels, std::int64_t index)
      : segment(index / size.columns), column(index % size.columns), begin(0), rows(0), label(-1) {
    if (segment >= size.layout->segments) return;
    begin = size.layout->offsets[segment];
    rows = size.layout->offsets[segment + 1] - begin;
    label = labels[segment * size.columns + column];
    if (label >= rows) label = -1;
  }
};

/// What makes p[r] = exp(x[r] - shift) / sum. All lanes of a warp make and get it.
struct SegmentSoftmax {
  float shift = -INFINITY;
  double sum = 0;

  template <class T>
  __device__ SegmentSoftmax(const T* x, const SegmentColumn& at, std::int64_t columns, int lane) {
    for (std::int64_t r = lane; r < at.rows; r += kWarp) shift = fmaxf(shift, to_float(x[r * columns]));
    shift = warp_max(shift);
    for (std::int64_t r = lane; r < at.rows; r += kWarp) sum += static_cast<double>(expf(to_float(x[r * columns]) - shift));
    sum = warp_sum(sum);
  }
};

}  // namespace preamble::cuda
