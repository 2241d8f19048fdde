// Errors of the CUDA libraries become exceptions. Included by .cu files alone.
#pragma once

#include <sstream>
#include <string>

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include "engine/core/error.h"

namespace preamble::cuda {

/// Throws DeviceError with the parts joined. (nvcc cannot check the format strings of `raise`.)
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw DeviceError(text.str());
}

/// Throws DeviceError unless `status` is a success. `what` are parts of a text that says what was tried, with sizes.
template <class... Parts>
void check(cudaError_t status, const Parts&... what) {
  if (status != cudaSuccess) fail(what..., ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")");
}

template <class... Parts>
void check(cublasStatus_t status, const Parts&... what) {
  if (status != CUBLAS_STATUS_SUCCESS) fail(what..., ": cuBLASLt: ", cublasLtGetStatusString(status));
}

/// Call behind every launch: throws DeviceError for a launch that the device refused.
inline void check_launch(const char* kernel) { check(cudaGetLastError(), kernel, ": launch"); }

}  // namespace preamble::cuda
