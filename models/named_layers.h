// Layers that families of models share, with their parameters under the names of checkpoints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "models/parameters.h"

namespace preamble {

/// x Wᵀ + b [rows, to], W = `name.weight` [to, D], b = `name.bias` [to].
[[nodiscard]] Value biased_linear(Parameters& parameters, Graph& graph, Value x, const std::string& name, std::int64_t to);

/// layer_norm of x [rows, D] with `name.weight` [D] and `name.bias` [D], or `name.gamma` and `name.beta`.
[[nodiscard]] Value named_norm(Parameters& parameters, Graph& graph, Value x, const std::string& name, double epsilon);

/// What stands in front of the backbone's names: `family` (`bert.`), or nothing in a checkpoint that was saved from the bare model, where
/// `first`, a name inside the backbone, stands alone.
[[nodiscard]] std::string backbone_prefix(const Parameters& parameters, const std::string& family, const std::string& first);

}  // namespace preamble
