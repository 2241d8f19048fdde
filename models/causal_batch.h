// From token sequences to the inputs of a decoder-only model's program.
#pragma once

#include <cstdint>
#include <vector>

#include "models/batch_inputs.h"
#include "models/causal_lm.h"

namespace preamble {

struct CausalBatch {
  std::vector<Ids> sequences;
  /// Slot of each sequence; empty: slot 0 for all.
  std::vector<std::int32_t> slots = {};
  /// Label of each token or kNoLabel, under the token's own number, as transformers takes them: the row in front of a token predicts its
  /// label. The first token's label counts only behind a prompt, whose last row predicts it (PEFT). Empty: no sequence has
  /// labels.
  std::vector<Ids> labels = {};
  /// Task that each sequence belongs to; empty: task 0 for all.
  std::vector<std::int32_t> tasks = {};

  /// The token of sequence `i` in front of which an infix stands: the one that predicts the first label, without labels the last one.
  [[nodiscard]] std::int32_t infix_at(std::size_t i) const;
  [[nodiscard]] std::int64_t tokens() const noexcept { return total_rows(sequences); }
  /// Capacity that holds exactly this batch.
  [[nodiscard]] CausalCapacity capacity() const noexcept;
};

/// Layout of the rows, each sequence with its prompt. (Programs compute the rows of a prompt in front once a slot.)
[[nodiscard]] Segments row_segments(const CausalBatch& batch, const Conditioning& conditioning);
/// The same without prompts in front: what each sequence computes for itself.
[[nodiscard]] Segments own_segments(const CausalBatch& batch, const Conditioning& conditioning);
/// Layout of the tokens, each at its position: those behind an infix stand further back.
[[nodiscard]] Segments token_segments(const CausalBatch& batch, const Conditioning& conditioning);

/// Sets layouts and inputs of tokens, prompts, positions and slots. Throws ShapeError if the batch exceeds the program's capacity or
/// the model's positions, ConfigError for a slot or a token id that does not exist.
void feed_rows(Session& session, const CausalBatch& batch, const Conditioning& conditioning, const InputLimits& limits);

/// Counts (labels: those that some row predicts), layouts and inputs of a loss or logits program. Throws ShapeError for labels of other
/// sequences, ConfigError for a slot, a token id or a label that does not exist.
[[nodiscard]] BatchInputs inputs_of(const CausalBatch& batch, const Conditioning& conditioning, const InputLimits& limits);
/// Feeds them to one run. `loss_weight` multiplies the sum of the labels' losses.
void feed(Session& session, const CausalBatch& batch, const Conditioning& conditioning, const InputLimits& limits, double loss_weight);

}  // namespace preamble
