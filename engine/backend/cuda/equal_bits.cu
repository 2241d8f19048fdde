#include "engine/backend/cuda/equal_bits.h"

#include <algorithm>

#include "engine/backend/cuda/check.h"

namespace preamble::cuda {
namespace {

constexpr int kComparingThreads = 256, kMostComparingBlocks = 1024;

__global__ void __launch_bounds__(kComparingThreads)
    differences_kernel(const std::uint32_t* a, const std::uint32_t* b, std::int64_t count, std::uint32_t* differences) {
  bool differ = false;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kComparingThreads + threadIdx.x; i < count; i += std::int64_t{gridDim.x} * kComparingThreads) {
    differ = differ || a[i] != b[i];
  }
  if (differ) *differences = 1;
}

}  // namespace

bool are_equal(const void* a, const void* b, std::int64_t bytes, std::uint32_t* differences, cudaStream_t stream) {
  const std::int64_t count = bytes / 4;
  check(cudaMemsetAsync(differences, 0, sizeof *differences, stream), "comparison");
  const auto blocks = static_cast<unsigned>(std::clamp<std::int64_t>((count + kComparingThreads - 1) / kComparingThreads, 1, kMostComparingBlocks));
  differences_kernel<<<blocks, kComparingThreads, 0, stream>>>(static_cast<const std::uint32_t*>(a), static_cast<const std::uint32_t*>(b), count, differences);
  check_launch("comparison");
  std::uint32_t found = 0;
  check(cudaMemcpyAsync(&found, differences, sizeof found, cudaMemcpyDeviceToHost, stream), "comparison");
  check(cudaStreamSynchronize(stream), "comparison");
  return found == 0;
}

}  // namespace preamble::cuda
