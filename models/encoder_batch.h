// From token sequences to the inputs of an encoder's program.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/runtime/session.h"
#include "models/encoder_model.h"
#include "models/feeding.h"

namespace preamble {

/// First and last token of an answer, counted from the sequence's first token.
struct TokenSpan {
  std::int32_t start = kNoLabel;
  std::int32_t end = kNoLabel;
};

/// Sequences, and of their labels those that their heads want. An empty list: none has one.
struct EncoderBatch {
  std::vector<Ids> sequences;
  /// Type of each token; empty: type 0 for all.
  std::vector<Ids> token_types = {};
  /// Slot of each sequence; empty: slot 0 for all.
  std::vector<std::int32_t> slots = {};
  /// Head of each sequence; empty: head 0 for all.
  std::vector<std::int32_t> heads = {};
  /// Number of the example that each sequence belongs to, for multiple choice: neighbours with one number are its choices. Empty: each
  /// sequence stands alone.
  std::vector<std::int32_t> groups = {};
  /// Of each sequence, or kNoLabel; of an example's first choice: which of its choices is right, from 0.
  std::vector<std::int32_t> classes = {};
  std::vector<float> values = {};            ///< of each sequence, for regression; NaN: none
  std::vector<Ids> token_labels = {};        ///< class, or id under the masked-LM head, of each token, or kNoLabel
  std::vector<TokenSpan> spans = {};         ///< of each sequence; kNoLabel: none

  [[nodiscard]] std::int64_t tokens() const noexcept { return total_rows(sequences); }
  /// Capacity that holds exactly this batch.
  [[nodiscard]] EncoderCapacity capacity() const noexcept;
};

/// Layout of the rows, prompts included: what `feed_rows` sets.
[[nodiscard]] Segments row_segments(const EncoderBatch& batch, const Conditioning& conditioning);

/// Sets layouts and inputs of tokens, types, prompts, positions and slots. Throws ShapeError if the batch exceeds the program's
/// capacity or the model's positions, ConfigError for a slot, token id or token type that does not exist.
void feed_rows(Session& session, const EncoderBatch& batch, const Conditioning& conditioning, const EncoderLimits& limits);

}  // namespace preamble
