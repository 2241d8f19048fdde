#include "models/causal_batch.h"

#include <algorithm>
#include <numeric>

#include "engine/core/error.h"

namespace preamble {
namespace {

std::int32_t prompt_length(const CausalBatch& batch, const Conditioning& conditioning, std::size_t i) {
  return conditioning.prompt ? conditioning.prompt->space.slots.length(slot_of(batch.slots, i)) : 0;
}

/// Tokens where they stand among the rows: queries that are only tokens see what is in front of them by these positions.
Segments token_segments(const CausalBatch& batch, const Conditioning& conditioning) {
  if (!conditioning.prompt) return segments_of(batch.sequences);
  Segments segments;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    Ids positions(batch.sequences[i].size());
    std::iota(positions.begin(), positions.end(), prompt_length(batch, conditioning, i));
    segments.append(positions);
  }
  return segments;
}

/// Calls body(sequence, place, label) for each label that a row predicts; `place`: of that row inside its sequence.
template <class Body>
void for_labels(const CausalBatch& batch, const Conditioning& conditioning, const Body& body) {
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    const std::int32_t prompt = prompt_length(batch, conditioning, i);
    for (std::size_t t = prompt > 0 ? 0 : 1; t < batch.labels[i].size(); ++t) {
      if (batch.labels[i][t] != kNoLabel) body(i, prompt + static_cast<std::int32_t>(t) - 1, batch.labels[i][t]);
    }
  }
}

}  // namespace

std::int64_t CausalBatch::label_count(const Conditioning& conditioning) const {
  std::int64_t count = 0;
  for_labels(*this, conditioning, [&](std::size_t, std::int32_t, std::int32_t) { ++count; });
  return count;
}

CausalCapacity CausalBatch::capacity() const noexcept {
  return {std::max<std::int64_t>(1, static_cast<std::int64_t>(sequences.size())), std::max<std::int64_t>(1, tokens())};
}

Segments row_segments(const CausalBatch& batch, const Conditioning& conditioning) {
  return prompted_segments(batch.sequences, batch.slots, conditioning);
}

void feed_rows(Session& session, const CausalBatch& batch, const Conditioning& conditioning, const InputLimits& limits) {
  check_slots(batch.sequences.size(), batch.slots, conditioning);
  session.rows(causal::kTokens, token_segments(batch, conditioning));
  feed_tokens(session, causal::kIds, batch.sequences, limits.vocabulary, "sequence");
  feed_prompt(session, batch.sequences, batch.slots, conditioning, causal::kPrompt);
  feed_prefixes(session, conditioning);
  const Segments rows = row_segments(batch, conditioning);
  Ids slots;
  Ids shifts;
  Ids tokens;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    slots.push_back(slot_of(batch.slots, i));
    shifts.push_back(conditioning.first_position(Site::decoder_self, slots.back()));
    const std::int32_t first = rows.offset(static_cast<std::int32_t>(i)) + prompt_length(batch, conditioning, i);
    for (std::size_t t = 0; t < batch.sequences[i].size(); ++t) tokens.push_back(first + static_cast<std::int32_t>(t));
  }
  feed_front(session, causal::kSlots, slots);
  feed_input(session, causal::kTokenIndex, tokens);
  feed_positions(session, causal::kPositions, rows, shifts, limits.positions);
}

void feed(Session& session, const CausalBatch& batch, const Conditioning& conditioning, const InputLimits& limits, double loss_weight) {
  feed_rows(session, batch, conditioning, limits);
  if (!session.program().has_input(causal::kLabels)) return;
  require<ShapeError>(batch.labels.size() == batch.sequences.size(), "batch: labels of {} sequences were given; wanted {}", batch.labels.size(),
                      batch.sequences.size());
  const Segments rows = row_segments(batch, conditioning);
  std::vector<Ids> places(batch.sequences.size());
  Ids index;
  Ids labels;
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    require<ShapeError>(batch.labels[i].size() == batch.sequences[i].size(), "sequence {}: {} labels were given for {} tokens", i,
                        batch.labels[i].size(), batch.sequences[i].size());
  }
  for_labels(batch, conditioning, [&](std::size_t i, std::int32_t place, std::int32_t label) {
    require<ConfigError>(label >= 0 && label < limits.vocabulary, "sequence {}: label {} was given; the vocabulary has {}", i, label, limits.vocabulary);
    places[i].push_back(place);
    index.push_back(rows.offset(static_cast<std::int32_t>(i)) + place);
    labels.push_back(label);
  });
  Segments labelled;
  for (const auto& of_sequence : places) labelled.append(of_sequence);
  session.rows(causal::kLabelled, labelled);
  feed_input(session, causal::kLabelledIndex, index);
  feed_input(session, causal::kLabels, labels);
  feed_scalar(session, causal::kLossWeight, loss_weight);
}

}  // namespace preamble
