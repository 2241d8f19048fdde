// What models that fill blanks offer beside encoders: generation with a cache.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "models/causal_lm.h"
#include "models/encoder_model.h"

namespace preamble {

/// A model that reads a text from both sides and fills its blanks from left to right (GLM: Du et al. 2022). As an encoder it computes all
/// rows of texts and their pieces at once: its masked-LM head is the language model, and the label of a row is what it predicts, unshifted.
class BlankModel : public EncoderModel {
 public:
  [[nodiscard]] Site prefix_site() const noexcept override { return Site::decoder_self; }
  [[nodiscard]] bool prefix_shifts_positions() const noexcept override { return false; }
  [[nodiscard]] std::int64_t token_types() const noexcept override { return 0; }

  /// Generation, first graph: `encode` that also writes keys and values of each row, prompts included, to the rows `step_inputs::kCacheRow`
  /// of the caches; marks a result for each cache.
  virtual Value prefill(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity,
                        std::vector<KeyValueCache>& caches) = 0;
  /// Generation, second graph: one token for each of up to `rows` live rows with at most `longest` cache rows of history. Inputs as those of
  /// `CausalLm::step`, with `encoder::kPositions` and `encoder::kBlockPositions`.
  virtual Value step(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest,
                     std::vector<KeyValueCache>& caches) = 0;
};

}  // namespace preamble
