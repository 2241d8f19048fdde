// Names of the types in which frozen matrices are held.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/core/dtype.h"

namespace preamble {

/// f32, bf16, int8, nf4, nf4-32, nf4-64, int4, int4-32, int4-64: `nf4` has one scale for 64 elements, `int4` one for 32.
[[nodiscard]] std::vector<std::string> weight_type_names();

/// The type of such a name, as `Parameters::Options::weights` takes it. Throws ConfigError for another name.
[[nodiscard]] Dtype weight_type_of(std::string_view name);

}  // namespace preamble
