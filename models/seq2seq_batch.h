// From token sequences to the inputs of an encoder-decoder's program.
#pragma once

#include <cstdint>
#include <vector>

#include "models/batch_inputs.h"
#include "models/conditioning.h"
#include "models/encoder_decoder.h"

namespace preamble {

struct Seq2SeqBatch {
  std::vector<std::vector<std::int32_t>> sources;
  /// Slot of each source; empty: slot 0 for all.
  std::vector<std::int32_t> slots = {};
  /// Decoder input of each target.
  std::vector<std::vector<std::int32_t>> decoder_inputs = {};
  /// Label of each decoder position or kNoLabel; empty: no target has labels.
  std::vector<std::vector<std::int32_t>> labels = {};
  /// Source of each target; empty: target i belongs to source i.
  std::vector<std::int32_t> target_sources = {};
  /// Task that each target belongs to; empty: task 0 for all.
  std::vector<std::int32_t> tasks = {};

  [[nodiscard]] std::int64_t source_rows() const noexcept;
  [[nodiscard]] std::int64_t target_rows() const noexcept;
  /// Capacity that holds exactly this batch.
  [[nodiscard]] Seq2SeqCapacity capacity() const noexcept;
};

/// Decoder input of a target: the start token, then the labels without their last; kNoLabel becomes the pad id
/// (transformers' shift_tokens_right).
[[nodiscard]] std::vector<std::int32_t> shifted_right(const std::vector<std::int32_t>& labels, std::int32_t start, std::int32_t pad);

/// Sets layouts and inputs of the encoder's side: sources, prompts, slots. Throws ShapeError if the batch exceeds the
/// program's capacity or the model's positions, ConfigError for a slot or a token id that does not exist.
void feed_sources(Session& session, const Seq2SeqBatch& batch, const Conditioning& conditioning, const InputLimits& limits);

/// Counts, layouts and inputs of a loss or logits program. Throws ConfigError for a slot, a source or a token id that does not exist.
[[nodiscard]] BatchInputs inputs_of(const Seq2SeqBatch& batch, const Conditioning& conditioning, const InputLimits& limits);
/// Feeds them to one run. `loss_weight` multiplies the sum of the labels' losses.
void feed(Session& session, const Seq2SeqBatch& batch, const Conditioning& conditioning, const InputLimits& limits, double loss_weight);

/// Layout of the encoder's rows, prompts included.
[[nodiscard]] Segments encoder_segments(const Seq2SeqBatch& batch, const Conditioning& conditioning);

}  // namespace preamble
