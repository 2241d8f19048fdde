// A row in the registers of a block, for norm and its gradient. Included by .cu files alone.
#pragma once

#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/reduce.cuh"
#include "engine/backend/cuda/rows.cuh"
#include "engine/ops/norm.h"

namespace preamble::cuda {

inline constexpr int kMostNormThreads = 1024;

struct NormStatistics {
  float mean;  ///< 0 for rms
  float rstd;
};

/// Eight neighbouring columns a thread, `held` times, all threads of the block side by side.
template <int held>
struct NormRow {
  float v[held][kOctet];

  [[nodiscard]] static __device__ std::int64_t first(int k) { return (static_cast<std::int64_t>(k) * blockDim.x + threadIdx.x) * kOctet; }

  /// Mean, then the mean square around it: nothing is lost to cancellation. Columns at `width` and behind are 0.
  [[nodiscard]] __device__ NormStatistics statistics(NormKind kind, float epsilon, std::int64_t width) const {
    const float count = static_cast<float>(width);
    float mean = 0;
    if (kind == NormKind::layer) {
      float sum = 0;
#pragma unroll
      for (int k = 0; k < held; ++k) {
#pragma unroll
        for (int i = 0; i < kOctet; ++i) sum += v[k][i];
      }
      mean = block_sum(sum) / count;
    }
    float squares = 0;
#pragma unroll
    for (int k = 0; k < held; ++k) {
      const std::int64_t left = width - first(k);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) squares += i < left ? (v[k][i] - mean) * (v[k][i] - mean) : 0.0F;
    }
    return {mean, 1.0F / sqrtf(block_sum(squares) / count + epsilon)};
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
