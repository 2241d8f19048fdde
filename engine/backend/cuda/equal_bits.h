// Comparison of device memory. Included by .cu files alone.
#pragma once

#include <cstdint>

#include <cuda_runtime_api.h>

namespace preamble::cuda {

/// Do two regions of `bytes` (a multiple of 4) hold the same? `differences`: 4 bytes of device memory. Waits for the stream. Throws DeviceError.
[[nodiscard]] bool are_equal(const void* a, const void* b, std::int64_t bytes, std::uint32_t* differences, cudaStream_t stream);

}  // namespace preamble::cuda
