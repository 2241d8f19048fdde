// A row in the registers of a block, for norm and its gradient. Included by .cu files alone.
#pragma once

#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/reduce.cuh"
#include "engine/backend/cuda/rows.cuh"
#include "engine/ops/norm.h"

namespace preamble::cuda {

inline constexpr int kMostNormThreads = 1024;

/// Eight neighbouring columns a thread, `held` times, all threads of the block side by side.
template <int held>
struct NormRow {
  float v[held][kOctet];

  [[nodiscard]] static __device__ std::int64_t first(int k) { return (static_cast<std::int64_t>(k) * blockDim.x + threadIdx.x) * kOctet; }

  /// Of the row; 0 for rms. Columns at `width` and behind are 0.
  [[nodiscard]] __device__ float mean(NormKind kind, std::int64_t width) const {
    if (kind != NormKind::layer) return 0;
    float sum = 0;
#pragma unroll
    for (int k = 0; k < held; ++k) {
#pragma unroll
      for (int i = 0; i < kOctet; ++i) sum += v[k][i];
    }
    return block_sum(sum) / static_cast<float>(width);
  }
  /// This thread's part of the sum of squares around the mean: nothing is lost to cancellation.
  [[nodiscard]] __device__ float squares(float mean, std::int64_t width) const {
    float sum = 0;
#pragma unroll
    for (int k = 0; k < held; ++k) {
      const std::int64_t left = width - first(k);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) sum += i < left ? (v[k][i] - mean) * (v[k][i] - mean) : 0.0F;
    }
    return sum;
  }
  /// Of the sum of squares over the whole row.
  [[nodiscard]] static __device__ float rstd(float squares, float epsilon, std::int64_t width) {
    return 1.0F / sqrtf(squares / static_cast<float>(width) + epsilon);
  }
};

/// Calls `body.template operator()<held>(threads)`: enough threads and registers for a row. Throws DeviceError for a row that is too wide.
template <class Body>
void with_norm_row(const char* name, std::int64_t width, const Body& body) {
  const std::int64_t octets = ceil_div(width, kOctet);
  const auto threads = static_cast<int>(octets < kMostNormThreads ? ceil_div(octets, kWarp) * kWarp : kMostNormThreads);
  const std::int64_t held = ceil_div(octets, threads);
  if (held <= 1) return body.template operator()<1>(threads);
  if (held <= 2) return body.template operator()<2>(threads);
  if (held <= 4) return body.template operator()<4>(threads);
  if (held <= 8) return body.template operator()<8>(threads);
  fail(name, ": rows of ", width, " numbers were given; wanted at most ", 8 * kMostNormThreads * kOctet, " on a GPU");
}

}  // namespace preamble::cuda
