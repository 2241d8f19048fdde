// Weights of a model that is trained from nothing.
#pragma once

#include <cstdint>
#include <memory>

#include "data/json_file.h"
#include "models/parameters.h"

namespace preamble {

/// Initial values by the rules of transformers for the family that config.json names: a function of seed and name alone.
///
///   T5      (× initializer_factor) norms 1; embedding N(0, 1); q N(0, 1/(D·d_kv)); k, v, w_i, relative positions N(0, 1/D); o N(0, 1/(H·d_kv));
///           w_o N(0, 1/d_ff); a head of its own N(0, 1/D) as t5x has it (transformers: N(0, 1), whose first losses are many times ln V)
///   GPT-2   N(0, initializer_range²), c_proj divided by √(2·layers); norms 1, biases 0
///   others  N(0, initializer_range²) (BART: init_std²); norms 1, biases 0, the embedding's row of the padding token 0
///
/// Throws FileError for senseless fields.
[[nodiscard]] std::shared_ptr<const ParameterSource> initial_source(const JsonFile& config, std::uint64_t seed);

}  // namespace preamble
