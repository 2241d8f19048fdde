// Devices by name.
#pragma once

#include <string_view>

#include "engine/backend/backend.h"

namespace preamble {

/// `cpu`; `cuda`, the first GPU; `cuda:N`; `auto`: the first GPU where there is one, else the CPU. Throws ConfigError for another name,
/// DeviceError or UnsupportedError, with the reason, where there is no such GPU.
[[nodiscard]] const Backend& backend_of(std::string_view name);

/// The same for programs that are planned but not run: `cuda` needs no GPU.
[[nodiscard]] const Backend& planning_backend_of(std::string_view name);

}  // namespace preamble
