// NVIDIA GPUs. These functions exist in every build; without CUDA there are no devices.
#pragma once

#include <string>

#include "engine/backend/backend.h"

namespace preamble {

/// Was this library built with CUDA?
[[nodiscard]] bool has_cuda() noexcept;

/// Devices that this process may use; 0 without CUDA, a driver or a device.
[[nodiscard]] int cuda_device_count() noexcept;

/// Why there is no device, in one line; empty if there is one.
[[nodiscard]] std::string cuda_problem();

/// The GPU of that number. It lives until the process ends. Throws DeviceError, with what is missing, if there is no such device;
/// UnsupportedError if the library was built without CUDA.
[[nodiscard]] const Backend& cuda_backend(int device);

/// Memory of a device.
struct DeviceMemoryUse {
  std::int64_t free = 0, total = 0;
  [[nodiscard]] std::int64_t used() const noexcept { return total - free; }
};

/// Memory of the GPU of `cuda_backend`, whoever uses it. Throws DeviceError for another backend.
[[nodiscard]] DeviceMemoryUse cuda_memory(const Backend& backend);

/// The plan of a GPU without one: programs can be compiled for it and explained, not run. Throws UnsupportedError as above.
[[nodiscard]] const Backend& cuda_planning_backend();

}  // namespace preamble
