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

  /// Scores become weights, 2^(scale · score) but for a factor of the row. Sums of weighted values so far are to be multiplied with `shrink`, if a
  /// lane's differ from 1: maxima seldom rise behind the first tiles.
  template <int N>
  [[nodiscard]] __device__ bool weigh(Sum (&c)[M][N], float scale, float (&shrink)[M][2]) {
    bool shrinks = false;
#pragma unroll
    for (int m = 0; m < M; ++m) {
      float most[2];
#pragma unroll
      for (int half = 0; half < 2; ++half) most[half] = max_over_row(most_of(c[m], half));
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float larger = fmaxf(largest_[m][half], most[half]);
        const float shift = larger == -INFINITY ? 0.0F : larger * scale;
        shrink[m][half] = exp2_fast(largest_[m][half] * scale - shift);
        shrinks = shrinks || shrink[m][half] != 1;
        largest_[m][half] = larger;
        // two sums side by side: one addition need not wait for the one before it
        float added[2] = {};
#pragma unroll
        for (int n = 0; n < N; ++n) {
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            float& x = c[m][n].x[2 * half + i];
            x = exp2_fast(x * scale - shift);
            added[i] += x;
          }
        }
        sum_[m][half] = sum_[m][half] * shrink[m][half] + (added[0] + added[1]);
      }
    }
    return __any_sync(~0U, shrinks) != 0;
  }
  template <int O>
  static __device__ void rescale(const float (&shrink)[M][2], Sum (&o)[M][O]) {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < O; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) o[m][n].x[i] *= shrink[m][i / 2];
      }
    }
  }
  /// Both.
  template <int N, int O>
  __device__ void take(Sum (&c)[M][N], float scale, Sum (&o)[M][O]) {
    float shrink[M][2];
    if (weigh(c, scale, shrink)) rescale(shrink, o);
  }

  /// Ends the rows of a tile that begins at row `first`, of which `rows` exist: writes log Σ exp(scale · score · ln 2), and returns what o is to be
  /// multiplied with.
  template <class Row>
  __device__ void end(const AttentionProblem& p, const AttentionResults& results, std::int64_t first, int rows, int head, float scale,
                      const Row& row_of, float (&factor)[M][2]) const {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float all = sum_over_row(sum_[m][half]);
        factor[m][half] = all > 0 ? __fdividef(1.0F, all) : 0.0F;
        const int i = row_of(m, half);
        if (results.log_sum_exp != nullptr && lane() % 4 == 0 && i < rows) {
          results.log_sum_exp[(first + i) * p.heads + head] = all > 0 ? largest_[m][half] * scale * kLn2 + __logf(all) : 0.0F;
        }
      }
    }
  }
  /// The same, and writes o.
  template <int O, class Row>
  __device__ void store(const AttentionProblem& p, const AttentionResults& results, std::int64_t first, int rows, int head, float scale,
                        const Sum (&o)[M][O], const Row& row_of) const {
    float factor[M][2];
    end(p, results, first, rows, head, scale, row_of, factor);
    if (!results.output) return;
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int i = row_of(m, half);
        if (i < rows) store_row(results.output, first + i, head * p.dim, p.dim, o[m], half, factor[m][half]);
      }
    }
  }

 private:
  /// The largest of a thread's scores of a row. Four chains of comparisons side by side.
  template <int N>
  [[nodiscard]] static __device__ float most_of(const Sum (&c)[N], int half) {
    constexpr int kChains = 4;
    float most[kChains];
#pragma unroll
    for (int i = 0; i < kChains; ++i) most[i] = c[i / 2].x[2 * half + i % 2];
#pragma unroll
    for (int n = 2; n < N; ++n) {
#pragma unroll
      for (int i = 0; i < 2; ++i) most[n % 2 * 2 + i] = fmaxf(most[n % 2 * 2 + i], c[n].x[2 * half + i]);
    }
    return fmaxf(fmaxf(most[0], most[1]), fmaxf(most[2], most[3]));
  }
  /// Of the four lanes that share a row of sums.
  [[nodiscard]] static __device__ float max_over_row(float x) {
    x = fmaxf(x, __shfl_xor_sync(~0U, x, 1));
    return fmaxf(x, __shfl_xor_sync(~0U, x, 2));
  }

  float largest_[M][2];
  float sum_[M][2] = {};
};

}  // namespace preamble::cuda
