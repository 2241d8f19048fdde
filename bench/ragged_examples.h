// Batches of sequences that differ in length.
#pragma once

#include <cstdint>
#include <vector>

#include "peft/made_up_training.h"

namespace preamble::bench {

/// Examples whose lengths rise evenly up to those of the batch: half of it on average.
[[nodiscard]] std::vector<Example> ragged_examples(const BatchShape& batch, const LanguageModel& model, std::uint64_t seed);

}  // namespace preamble::bench
