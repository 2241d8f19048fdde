// Errors of the CUDA libraries become exceptions. Included by .cu files alone.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include "engine/core/error.h"

namespace preamble::cuda {

/// Throws DeviceError `what: the CUDA error's name and text` unless `status` is a success. `what` says what was tried, with sizes.
template <class... Args>
void check(cudaError_t status, fmt::format_string<Args...> what, Args&&... args) {
  if (status == cudaSuccess) return;
  raise<DeviceError>("{}: {} ({})", fmt::format(what, std::forward<Args>(args)...), cudaGetErrorString(status), cudaGetErrorName(status));
}

template <class... Args>
void check(cublasStatus_t status, fmt::format_string<Args...> what, Args&&... args) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  raise<DeviceError>("{}: cuBLASLt: {}", fmt::format(what, std::forward<Args>(args)...), cublasLtGetStatusString(status));
}

/// Call behind every launch: throws DeviceError for a launch that the device refused.
inline void check_launch(const char* kernel) { check(cudaGetLastError(), "{}: launch", kernel); }

}  // namespace preamble::cuda
