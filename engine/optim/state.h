// One tensor of state per parameter, saved under `<what>.<index>`.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/tensor.h"

namespace preamble {

/// Zero tensors of these dimensions.
[[nodiscard]] std::vector<Tensor> zeros(const std::vector<Dims>& shapes);
void save_state(std::map<std::string, Tensor>& state, std::string_view what, const std::vector<Tensor>& tensors);
/// Copies saved tensors into `tensors`. Throws FileError if one is missing or has other dimensions.
void load_state(const std::map<std::string, Tensor>& state, std::string_view what, std::vector<Tensor>& tensors);

}  // namespace preamble
