// Sums and maxima over warps and blocks, always in the same order. Included by .cu files alone.
#pragma once

#include <cstdint>

#include <cuda_runtime_api.h>

namespace preamble::cuda {

inline constexpr int kWarp = 32;

/// Every lane gets the sum.
template <class T>
[[nodiscard]] __device__ inline T warp_sum(T x) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xFFFFFFFFU, x, step);
  return x;
}

[[nodiscard]] __device__ inline float warp_max(float x) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFU, x, step));
  return x;
}

/// Every thread gets the sum. All threads of the block call it; their number is a multiple of 32.
template <class T>
[[nodiscard]] __device__ inline T block_sum(T x) {
  __shared__ T parts[kWarp];
  x = warp_sum(x);
  __syncthreads();  // the parts of a call before this one have been read
  if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp] = x;
  __syncthreads();
  return warp_sum(threadIdx.x % kWarp < blockDim.x / kWarp ? parts[threadIdx.x % kWarp] : T(0));
}

/// The same for several sums at once.
template <int count>
__device__ inline void block_sums(float (&x)[count]) {
  __shared__ float parts[count][kWarp];
#pragma unroll
  for (int i = 0; i < count; ++i) x[i] = warp_sum(x[i]);
  __syncthreads();
  if (threadIdx.x % kWarp == 0) {
#pragma unroll
    for (int i = 0; i < count; ++i) parts[i][threadIdx.x / kWarp] = x[i];
  }
  __syncthreads();
  const unsigned lane = threadIdx.x % kWarp;
#pragma unroll
  for (int i = 0; i < count; ++i) x[i] = warp_sum(lane < blockDim.x / kWarp ? parts[i][lane] : 0.0F);
}

/// As `block_sum`.
[[nodiscard]] __device__ inline float block_max(float x) {
  __shared__ float parts[kWarp];
  x = warp_max(x);
  __syncthreads();
  if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp] = x;
  __syncthreads();
  return warp_max(parts[threadIdx.x % kWarp < blockDim.x / kWarp ? threadIdx.x % kWarp : 0]);
}

}  // namespace preamble::cuda
