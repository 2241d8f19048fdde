#include "models/causal_batch.h"

#include <algorithm>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// Rows of the prompt in front of a sequence.
std::int32_t prompt_length(const CausalBatch& batch, const Conditioning& conditioning, std::size_t i) {
  return conditioning.prompt && conditioning.placement == Placement::prefix
             ? conditioning.prompt->space.slots.length(slot_of(batch.slots, i))
             : 0;
}

std::int32_t last_prompt_row(const CausalBatch& batch, const Conditioning& conditioning, std::size_t i) {
  return conditioning.prompt->space.slots.offset(slot_of(batch.slots, i) + 1) - 1;
}

/// The infix of a sequence: how many rows in front of which token.
struct Infix {
  std::int32_t rows = 0;
  std::int32_t token = 0;

  [[nodiscard]] std::int32_t place(std::int32_t of_token) const noexcept { return of_token < token ? of_token : of_token + rows; }
};

Infix infix_of(const CausalBatch& batch, const Conditioning& conditioning, std::size_t i) {
  const SlotSpace* space = conditioning.infix();
  return space == nullptr ? Infix{} : Infix{space->slots.length(slot_of(batch.slots, i)), batch.infix_at(i)};
}

void feed_infix(Session& session, const CausalBatch& batch, const Conditioning& conditioning) {
  std::int32_t first = 0;
  std::vector<std::int32_t> at;
  Ids token_rows;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    const Infix infix = infix_of(batch, conditioning, i);
    at.push_back(infix.token);
    const auto tokens = static_cast<std::int32_t>(batch.sequences[i].size());
    for (std::int32_t t = 0; t < tokens; ++t) token_rows.push_back(first + infix.place(t));
    first += tokens + infix.rows;
  }
  feed_inserted(session, batch.sequences, batch.slots, *conditioning.infix(), at, causal::kInfix);
  session.select(causal::kTokenRows, token_rows);
}

/// Rows of all slots' prompts, each at its place from 0.
void feed_prompt_positions(Session& session, const Conditioning& conditioning, const PositionTable& table) {
  if (!conditioning.prompt || conditioning.infix() != nullptr) return;
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

std::int32_t CausalBatch::infix_at(std::size_t i) const {
  std::size_t end = sequences.at(i).size();
  if (i < labels.size()) {
    const auto first = std::ranges::find_if(labels[i], [](std::int32_t label) { return label != kNoLabel; });
    end = std::min(end, static_cast<std::size_t>(first - labels[i].begin()));
  }
  return end == 0 ? 0 : static_cast<std::int32_t>(end) - 1;
}

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

Segments own_segments(const CausalBatch& batch, const Conditioning& conditioning) {
  return conditioning.placement == Placement::infix ? row_segments(batch, conditioning) : segments_of(batch.sequences);
}

Segments token_segments(const CausalBatch& batch, const Conditioning& conditioning) {
  if (conditioning.infix() == nullptr) return segments_of(batch.sequences);
  Segments tokens;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    const Infix infix = infix_of(batch, conditioning, i);
    Ids places(batch.sequences[i].size());
    for (std::size_t t = 0; t < places.size(); ++t) places[t] = infix.place(static_cast<std::int32_t>(t));
    tokens.append(places);
  }
  return tokens;
}

void feed_rows(Session& session, const CausalBatch& batch, const Conditioning& conditioning, const InputLimits& limits) {
  check_slots(batch.sequences.size(), batch.slots, conditioning);
  const Segments tokens = token_segments(batch, conditioning);
  session.rows(causal::kTokens, tokens);
  feed_tokens(session, causal::kIds, batch.sequences, limits.vocabulary, "sequence");
  if (conditioning.infix() != nullptr) feed_infix(session, batch, conditioning);
  feed_prompt_positions(session, conditioning, limits.positions);
  feed_prefixes(session, conditioning);
  Ids slots;
  Ids shifts;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    slots.push_back(slot_of(batch.slots, i));
    shifts.push_back(prompt_length(batch, conditioning, i) + conditioning.first_position(Site::decoder_self, slots.back()));
  }
  feed_front(session, causal::kSlots, slots);
  // keys and values have no place among the positions unless they shift them
  const bool placed = conditioning.infix() != nullptr && !conditioning.prompt && conditioning.prefix_shifts_positions;
  feed_positions(session, causal::kPositions, placed ? tokens : own_segments(batch, conditioning), shifts, limits.positions);
}

void feed(Session& session, const CausalBatch& batch, const Conditioning& conditioning, const InputLimits& limits, double loss_weight) {
  feed_rows(session, batch, conditioning, limits);
  if (!session.program().has_input(causal::kLabels)) return;
  require<ShapeError>(batch.labels.size() == batch.sequences.size(), "batch: labels of {} sequences were given; wanted {}", batch.labels.size(),
                      batch.sequences.size());
  const Segments tokens = segments_of(batch.sequences);
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
    index.push_back(tokens.offset(static_cast<std::int32_t>(i)) + std::max(token, 0));
    labels.push_back(label);
  });
  session.select(causal::kLabelled, index);
  feed_input(session, causal::kLabelledMerge, merge);
  feed_input(session, causal::kLabels, labels);
  feed_scalar(session, causal::kLossWeight, loss_weight);
}

}  // namespace preamble
