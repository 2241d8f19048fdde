// Text generation: greedy search, sampling, beam search.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/generate/decoder.h"
#include "models/generate/generation_config.h"

namespace preamble {

/// Continues each of `prompts` as transformers' `model.generate` continues it alone: neither batch nor padding matters.
///
/// Returns prompt and generated tokens, the end token included and nothing behind it, `num_return_sequences` per prompt, best first;
/// prompt by prompt. To make a rectangle of them as transformers does, fill with `fill_token`.
///
/// Greedy search and sampling choose by the processed logits, beam search by sums of processed log-probabilities. Of equal scores the
/// smaller token id (of the earlier beam) wins.
/// (transformers leaves that order to torch, which shows only where scores are exactly equal.)
///
/// `streams` names the random stream of each prompt (an example's number in its data set), so that a sample depends on seed, stream
/// and its index among the returned ones alone; empty: the prompt's index in the batch.
///
/// Throws ConfigError for options or prompts that do not fit, ShapeError if the decoder returns another number of logits, Error if its
/// logits are NaN or infinite.
[[nodiscard]] std::vector<std::vector<std::int32_t>> generate(Decoder& decoder, const GenerationConfig& config,
                                                              std::span<const std::vector<std::int32_t>> prompts,
                                                              std::span<const std::uint64_t> streams = {});

}  // namespace preamble
