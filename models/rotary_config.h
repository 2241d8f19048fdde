// Rotary positions as config.json says them.
#pragma once

#include <cstdint>

#include "data/json_file.h"
#include "models/rotary_frequencies.h"

namespace preamble {

/// What a family of models takes for fields that its config.json lacks.
struct RotaryDefaults {
  double theta = 10000;
  double part = 1;  ///< of each head's columns that is turned
};

/// Rotary positions of a model.
struct RotaryConfig {
  RotaryOptions options;
  /// Most positions of a sequence; 0: any number. The type `longrope` takes other factors as soon as a sequence is longer than its pretraining's.
  std::int64_t longest = 0;
};

/// Reads `rope_parameters` (transformers 5), or `rope_theta`, `rope_scaling` with `rope_type` or `type`, and `rotary_emb_base`, `rotary_pct`
/// or `partial_rotary_factor` (transformers 4). `positions`: `max_position_embeddings`. Types: default, linear, dynamic, llama3, longrope, yarn.
/// Throws FileError for missing or senseless fields, UnsupportedError for another type.
[[nodiscard]] RotaryConfig read_rotary(const JsonFile& json, std::int64_t head_dim, std::int64_t positions, const RotaryDefaults& defaults = {});

}  // namespace preamble
