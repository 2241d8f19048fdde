#include "engine/backend/choose.h"

#include <charconv>

#include "engine/backend/cuda/backend.h"
#include "engine/core/error.h"

namespace preamble {

const Backend& backend_of(std::string_view name) {
  if (name == "cpu") return cpu_backend();
  if (name == "auto") return cuda_device_count() > 0 ? cuda_backend(0) : cpu_backend();
  if (name == "cuda") return cuda_backend(0);
  constexpr std::string_view kNumbered = "cuda:";
  int number = -1;
  if (name.starts_with(kNumbered)) {
    const char* end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + kNumbered.size(), end, number);
    if (error != std::errc() || stop != end) number = -1;
  }
  require<ConfigError>(number >= 0, "device: '{}' was given; wanted auto, cpu, cuda or cuda:N", name);
  return cuda_backend(number);
}

const Backend& planning_backend_of(std::string_view name) {
  return name.starts_with("cuda") && has_cuda() && cuda_device_count() == 0 ? cuda_planning_backend() : backend_of(name);
}

}  // namespace preamble
