// Reverse-mode differentiation as graph construction.
#pragma once

#include <string_view>

#include "engine/graph/graph.h"

namespace preamble {

/// Appends the gradient of the scalar result `loss` and marks, for every trainable leaf that the loss depends on, the
/// result `grad.<leaf>`. A node gets gradient nodes only if it depends on a trainable leaf and the loss depends on it
/// (two-sided reachability): everything below the lowest prompt stays plain inference. Where a value has several users
/// their gradients are summed by explicit `add` nodes, as they appear.
/// Throws ShapeError if `loss` is not a scalar, ConfigError if it depends on no trainable leaf.
void differentiate(Graph& graph, std::string_view loss);

}  // namespace preamble
