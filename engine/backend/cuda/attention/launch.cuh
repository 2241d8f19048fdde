// Launches of kernels whose shared memory is sized at run time. Included by .cu files alone.
#pragma once

#include <cstddef>

#include "engine/backend/cuda/check.h"
#include "engine/backend/cuda/kernel.h"

namespace preamble::cuda {

/// The shared memory of a block, as many bytes as the launch asked for.
template <class T>
[[nodiscard]] __device__ inline T* shared_memory() {
  // tiles of warpgroups start at multiples of 1024 bytes
  extern __shared__ __align__(1024) unsigned char shared_bytes[];
  return reinterpret_cast<T*>(shared_bytes);
}

/// Launches a kernel unless the grid is empty. Throws DeviceError, with the name, if the device refuses it.
template <class... Parameters, class... Values>
void launch_blocks(const char* name, void (*kernel)(Parameters...), dim3 grid, int threads, std::size_t shared_bytes, const Queue& queue,
                   const Values&... values) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  constexpr std::size_t kDefaultBytes = std::size_t{48} << 10U;
  if (shared_bytes > kDefaultBytes) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)), name,
          ": a block with ", shared_bytes, " bytes of shared memory");
  }
  kernel<<<grid, static_cast<unsigned>(threads), shared_bytes, queue.stream>>>(static_cast<Parameters>(values)...);
  check_launch(name);
}

}  // namespace preamble::cuda
