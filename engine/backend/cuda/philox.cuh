// Random words as engine/core/random.h defines them. Included by .cu files alone.
#pragma once

#include <cstdint>

#include <cuda_runtime_api.h>

namespace preamble::cuda {

/// Four words of Philox 4x32-10 (Salmon et al. 2011): the same as on the CPU, bit for bit.
[[nodiscard]] __device__ inline uint4 philox(uint4 counter, uint2 key) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const std::uint32_t high0 = __umulhi(0xD2511F53U, counter.x), low0 = 0xD2511F53U * counter.x;
    const std::uint32_t high1 = __umulhi(0xCD9E8D57U, counter.z), low1 = 0xCD9E8D57U * counter.z;
    counter = make_uint4(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
    key.x += 0x9E3779B9U;
    key.y += 0xBB67AE85U;
  }
  return counter;
}

}  // namespace preamble::cuda
