#include "models/causal_batch.h"

#include <algorithm>

#include "engine/core/error.h"

namespace preamble {
namespace {

std::int32_t prompt_length(const CausalBatch& batch, const Conditioning& conditioning, std::size_t i) {
  return conditioning.prompt ? conditioning.prompt->space.slots.length(slot_of(batch.slots, i)) : 0;
}

std::int32_t last_prompt_row(const CausalBatch& batch, const Conditioning& conditioning, std::size_t i) {
  return conditioning.prompt->space.slots.offset(slot_of(batch.slots, i) + 1) - 1;
}

/// Rows of all slots' prompts, each at its place from 0.
void feed_prompt_positions(Session& session, const Conditioning& conditioning, const PositionTable& table) {
  if (!conditioning.prompt) return;
  const SlotSpace& space = conditioning.prompt->space;
  session.rows(space.name, space.slots);
  feed_positions(session, causal::kPromptPositions, space.slots, Ids(static_cast<std::size_t>(space.slots.count())), table);
}

/// Calls body(sequence, token, label) for each label that a row predicts: that of `token`, or for -1 of the prompt's last row.
template <class Body>
void for_labels(const CausalBatch& batch, const Conditioning& conditioning, const Body& body) {
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    const std::int32_t prompt = prompt_length(batch, conditioning, i);
    for (std::size_t t = prompt > 0 ? 0 : 1; t < batch.labels[i].size(); ++t) {
      if (batch.labels[i][t] != kNoLabel) body(i, static_cast<std::int32_t>(t) - 1, batch.labels[i][t]);
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
  const Segments tokens = segments_of(batch.sequences);
  session.rows(causal::kTokens, tokens);
  feed_tokens(session, causal::kIds, batch.sequences, limits.vocabulary, "sequence");
  feed_prompt_positions(session, conditioning, limits.positions);
  feed_prefixes(session, conditioning);
  Ids slots;
  Ids shifts;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    slots.push_back(slot_of(batch.slots, i));
    shifts.push_back(prompt_length(batch, conditioning, i) + conditioning.first_position(Site::decoder_self, slots.back()));
  }
  feed_front(session, causal::kSlots, slots);
  feed_positions(session, causal::kPositions, tokens, shifts, limits.positions);
}

void feed(Session& session, const CausalBatch& batch, const Conditioning& conditioning, const InputLimits& limits, double loss_weight) {
  feed_rows(session, batch, conditioning, limits);
  if (!session.program().has_input(causal::kLabels)) return;
  require<ShapeError>(batch.labels.size() == batch.sequences.size(), "batch: labels of {} sequences were given; wanted {}", batch.labels.size(),
                      batch.sequences.size());
  const Segments tokens = segments_of(batch.sequences);
  std::vector<Ids> places(batch.sequences.size());
  Ids index;
  Ids merge;
  Ids labels;
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    require<ShapeError>(batch.labels[i].size() == batch.sequences[i].size(), "sequence {}: {} labels were given for {} tokens", i,
                        batch.labels[i].size(), batch.sequences[i].size());
  }
  for_labels(batch, conditioning, [&](std::size_t i, std::int32_t token, std::int32_t label) {
    require<ConfigError>(label >= 0 && label < limits.vocabulary, "sequence {}: label {} was given; the vocabulary has {}", i, label, limits.vocabulary);
    // a prompt's row takes the place of what is computed for the first token here
    merge.push_back(token >= 0 ? static_cast<std::int32_t>(merge.size()) : -1 - last_prompt_row(batch, conditioning, i));
    places[i].push_back(std::max(token, 0));
    index.push_back(tokens.offset(static_cast<std::int32_t>(i)) + places[i].back());
    labels.push_back(label);
  });
  Segments labelled;
  for (const auto& of_sequence : places) labelled.append(of_sequence);
  session.rows(causal::kLabelled, labelled);
  feed_input(session, causal::kLabelledIndex, index);
  feed_input(session, causal::kLabelledMerge, merge);
  feed_input(session, causal::kLabels, labels);
  feed_scalar(session, causal::kLossWeight, loss_weight);
}

}  // namespace preamble
