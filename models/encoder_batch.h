// From token sequences to the inputs of an encoder's program.
#pragma once

#include <cstdint>
#include <vector>

#include "models/batch_inputs.h"
#include "models/encoder_model.h"

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

  // of models that fill blanks; an empty list: they follow from the tokens (`blank_positions`)

  std::vector<Ids> positions = {};            ///< of each token: row of the table of positions, virtual tokens not counted
  std::vector<Ids> block_positions = {};      ///< of each token: row of the table of positions inside pieces
  std::vector<std::int32_t> contexts = {};    ///< of each sequence: tokens of part A, which all its tokens see

  [[nodiscard]] std::int64_t tokens() const noexcept { return total_rows(sequences); }
  /// Capacity that holds exactly this batch.
  [[nodiscard]] EncoderCapacity capacity() const noexcept;
};

/// Layout of the rows, prompts included.
[[nodiscard]] Segments row_segments(const EncoderBatch& batch, const Conditioning& conditioning);

/// Where the rows of a sequence stand in a model that fills blanks, its prompt included, which belongs to part A: positions are rows of the
/// tables and `context` counts rows. Throws ShapeError behind a table's end, ConfigError as `blank_positions`.
[[nodiscard]] BlankPositions row_positions(const EncoderBatch& batch, std::size_t sequence, const Conditioning& conditioning,
                                           const EncoderLimits& limits);
/// Tokens of part A of a sequence.
[[nodiscard]] std::int32_t context_of(const EncoderBatch& batch, std::size_t sequence, const BlankFilling& filling);
/// Row of the table of positions inside pieces. Throws ShapeError behind its end.
[[nodiscard]] std::int32_t block_row(std::int32_t position, std::int64_t rows, std::size_t sequence);

/// Adds layouts and inputs of tokens, types, prompts, positions and slots; returns the layout of the rows. Throws ShapeError behind the end
/// of the model's positions, ConfigError for a slot, token id or token type that does not exist.
Segments add_rows(BatchInputs& inputs, const EncoderBatch& batch, const Conditioning& conditioning, const EncoderLimits& limits);
/// Feeds them to one run. Throws ShapeError if the batch exceeds the program's capacity.
void feed_rows(Session& session, const EncoderBatch& batch, const Conditioning& conditioning, const EncoderLimits& limits);

}  // namespace preamble
