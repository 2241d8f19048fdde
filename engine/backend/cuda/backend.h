// NVIDIA GPUs. These functions exist in every build; without CUDA there are no devices.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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

/// The queue of the GPU's work, a cudaStream_t. Throws DeviceError for another backend.
[[nodiscard]] void* cuda_stream(const Backend& backend);

/// Memory of a device.
struct DeviceMemoryUse {
  std::int64_t free = 0, total = 0;
  [[nodiscard]] std::int64_t used() const noexcept { return total - free; }
};

/// Memory of the GPU of `cuda_backend`, whoever uses it; copies of tensors that are gone are freed first. Throws DeviceError for another
/// backend.
[[nodiscard]] DeviceMemoryUse cuda_memory(const Backend& backend);

/// What the steps of programs took that are alike: of one op over values of the same sizes.
struct StepTime {
  std::string step;  ///< `linear [8192, 1024] [3072, 1024] -> [8192, 3072]`, rows as launches are made for them
  std::int64_t runs = 0;
  double milliseconds = 0;  ///< of all runs, by the device's clock
};

/// From now on, programs of the GPU of `cuda_backend` run step by step and each step is timed; `false`: as a whole again. Throws DeviceError
/// for another backend.
void time_cuda_steps(const Backend& backend, bool on);

/// What was timed since the last call, the longest first. Throws DeviceError as above.
[[nodiscard]] std::vector<StepTime> cuda_step_times(const Backend& backend);

/// The plan of a GPU without one: programs can be compiled for it and explained, not run. Throws UnsupportedError as above.
[[nodiscard]] const Backend& cuda_planning_backend();

}  // namespace preamble
