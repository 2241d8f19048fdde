// Layers that families of models share, with their parameters under the names of checkpoints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/ops/linear.h"
#include "models/parameters.h"

namespace preamble {

struct MapOptions {
  std::int64_t to = 0;  ///< width of the result
  bool bias = true;
  WeightLayout layout = WeightLayout::out_in;
};

/// x Wᵀ (+ b) [rows, to], W = `name.weight` [to, D] (in_out: x W, [D, to]), b = `name.bias` [to], with the low-rank addition that the
/// parameters have for it.
[[nodiscard]] Value named_map(Parameters& parameters, Graph& graph, Value x, const std::string& name, const MapOptions& options);
/// The same with a bias.
[[nodiscard]] Value biased_linear(Parameters& parameters, Graph& graph, Value x, const std::string& name, std::int64_t to);

/// layer_norm of x [rows, D] with `name.weight` [D] and `name.bias` [D], or `name.gamma` and `name.beta`.
[[nodiscard]] Value named_norm(Parameters& parameters, Graph& graph, Value x, const std::string& name, double epsilon);

/// What stands in front of the backbone's names: `family` (`bert.`), or nothing in a checkpoint that was saved from the bare model, where
/// `first`, a name inside the backbone, stands alone.
[[nodiscard]] std::string backbone_prefix(const Parameters& parameters, const std::string& family, const std::string& first);

}  // namespace preamble
