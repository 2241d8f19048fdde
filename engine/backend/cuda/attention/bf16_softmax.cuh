// The softmax of scores that come tile by tile. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_products.cuh"
#include "engine/backend/cuda/attention/kernels.cuh"

namespace preamble::cuda {

/// Of 16 M rows a warp: a thread has two of each 16, and shares them with three other lanes.
template <int M>
class OnlineSoftmax {
 public:
  __device__ OnlineSoftmax() {
#pragma unroll
    for (int m = 0; m < M; ++m) largest_[m][0] = largest_[m][1] = -INFINITY;
  }

  /// Scores become weights, 2^(scale · score) but for a factor of the row, and `o`, the sums of weighted values so far, gets the same factor.
  template <int N, int O>
  __device__ void take(Sum (&c)[M][N], float scale, Sum (&o)[M][O]) {
    float shrink[M][2];
    bool shrinks = false;
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float most = c[m][0].x[2 * half];
#pragma unroll
        for (int n = 0; n < N; ++n) most = fmaxf(most, fmaxf(c[m][n].x[2 * half], c[m][n].x[2 * half + 1]));
        most = fmaxf(largest_[m][half], max_over_row(most));
        const float shift = most == -INFINITY ? 0.0F : most * scale;
        shrink[m][half] = exp2_fast(largest_[m][half] * scale - shift);
        shrinks = shrinks || shrink[m][half] != 1;
        largest_[m][half] = most;
        float added = 0;
#pragma unroll
        for (int n = 0; n < N; ++n) {
#pragma unroll
          for (int i = 2 * half; i < 2 * half + 2; ++i) {
            c[m][n].x[i] = exp2_fast(c[m][n].x[i] * scale - shift);
            added += c[m][n].x[i];
          }
        }
        sum_[m][half] = sum_[m][half] * shrink[m][half] + added;
      }
    }
    // maxima seldom rise behind the first tiles
    if (__any_sync(~0U, shrinks) == 0) return;
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < O; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) o[m][n].x[i] *= shrink[m][i / 2];
      }
    }
  }

  /// Writes the rows below `rows` of a tile that begins at row `first`: o, and log Σ exp(scale · score · ln 2).
  template <int O, class Row>
  __device__ void store(const AttentionProblem& p, const AttentionResults& results, std::int64_t first, int rows, int head, float scale,
                        const Sum (&o)[M][O], const Row& row_of) const {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float all = sum_over_row(sum_[m][half]);
        const int i = row_of(m, half);
        if (i >= rows) continue;
        const std::int64_t row = first + i;
        if (results.output) store_row(results.output, row, head * p.dim, p.dim, o[m], half, all > 0 ? 1 / all : 0.0F);
        if (results.log_sum_exp != nullptr && lane() % 4 == 0) {
          results.log_sum_exp[row * p.heads + head] = all > 0 ? largest_[m][half] * scale * kLn2 + logf(all) : 0.0F;
        }
      }
    }
  }

 private:
  /// Of the four lanes that share a row of sums.
  [[nodiscard]] static __device__ float max_over_row(float x) {
    x = fmaxf(x, __shfl_xor_sync(~0U, x, 1));
    return fmaxf(x, __shfl_xor_sync(~0U, x, 2));
  }

  float largest_[M][2];
  float sum_[M][2] = {};
};

}  // namespace preamble::cuda
