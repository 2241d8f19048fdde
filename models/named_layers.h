// Layers that families of models share, with their parameters under the names of checkpoints.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "models/encoder_model.h"

namespace preamble {

/// x Wᵀ + b [rows, to], W = `name.weight` [to, D], b = `name.bias` [to].
[[nodiscard]] Value biased_linear(Parameters& parameters, Graph& graph, Value x, const std::string& name, std::int64_t to);

/// layer_norm of x [rows, D] with `name.weight` [D] and `name.bias` [D].
[[nodiscard]] Value named_norm(Parameters& parameters, Graph& graph, Value x, const std::string& name, double epsilon);

/// What stands in front of the backbone's names: `family` (`bert.`), or nothing in a checkpoint that was saved from the bare model, where
/// `first`, a name inside the backbone, stands alone.
[[nodiscard]] std::string backbone_prefix(const Parameters& parameters, const std::string& family, const std::string& first);

/// Loads all that an encoder needs. `beside`: beginnings of names, behind `prefix`, that the checkpoint may have too (heads, buffers).
/// Throws FileError for a missing, unexpected or misshaped tensor.
void load_encoder(EncoderModel& model, const ParameterSource& source, std::string_view prefix, std::span<const std::string_view> beside);

}  // namespace preamble
