#include "engine/backend/cuda/backend.h"
#include "engine/core/error.h"

// Stands for the folder's other files in a build without the CUDA Toolkit.
namespace preamble {

bool has_cuda() noexcept { return false; }

int cuda_device_count() noexcept { return 0; }

std::string cuda_problem() { return "this build of preamble has no CUDA backend; build it with -Dcuda=enabled"; }

const Backend& cuda_backend(int device) { raise<UnsupportedError>("device cuda:{}: {}", device, cuda_problem()); }

void* cuda_stream(const Backend& backend) { raise<DeviceError>("device {}: {}", backend.name(), cuda_problem()); }

DeviceMemoryUse cuda_memory(const Backend& backend) { raise<DeviceError>("device {}: {}", backend.name(), cuda_problem()); }

void time_cuda_steps(const Backend& backend, bool /*on*/) { raise<DeviceError>("device {}: {}", backend.name(), cuda_problem()); }

std::vector<StepTime> cuda_step_times(const Backend& backend) { raise<DeviceError>("device {}: {}", backend.name(), cuda_problem()); }

const Backend& cuda_planning_backend() { raise<UnsupportedError>("device cuda: {}", cuda_problem()); }

}  // namespace preamble
