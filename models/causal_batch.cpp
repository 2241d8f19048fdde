#include "models/causal_batch.h"

#include <algorithm>

#include "engine/core/error.h"
#include "models/position_counts.h"

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

  [[nodiscard]] std::int32_t position(std::int32_t of_token) const noexcept { return of_token < token ? of_token : of_token + rows; }
};

Infix infix_of(const CausalBatch& batch, const Conditioning& conditioning, std::size_t i) {
  const SlotSpace* space = conditioning.infix();
  return space == nullptr ? Infix{} : Infix{space->slots.length(slot_of(batch.slots, i)), batch.infix_at(i)};
}

void add_infix(BatchInputs& inputs, const CausalBatch& batch, const Conditioning& conditioning) {
  std::int32_t first = 0;
  std::vector<std::int32_t> at;
  Ids token_rows;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    const Infix infix = infix_of(batch, conditioning, i);
    at.push_back(infix.token);
    const auto tokens = static_cast<std::int32_t>(batch.sequences[i].size());
    for (std::int32_t t = 0; t < tokens; ++t) token_rows.push_back(first + infix.position(t));
    first += tokens + infix.rows;
  }
  add_inserted(inputs, batch.sequences, batch.slots, *conditioning.infix(), at, causal::kInfix);
  inputs.select(causal::kTokenRows, std::move(token_rows));
}

/// Rows of all slots' prompts, each slot from position 0 on.
void add_prompt_positions(BatchInputs& inputs, const Conditioning& conditioning, const PositionTable& table) {
  if (!conditioning.prompt || conditioning.infix() != nullptr) return;
  const SlotSpace& space = conditioning.prompt->space;
  inputs.rows(space.name, space.slots);
  add_positions(inputs, causal::kPromptPositions, space.slots, Ids(static_cast<std::size_t>(space.slots.count())), table);
}

struct Layouts {
  Segments tokens;  ///< each at its position
  Segments rows;    ///< with prompts or an infix of embeddings
};

/// Adds everything but labels.
Layouts add_rows(BatchInputs& inputs, const CausalBatch& batch, const Conditioning& conditioning, const InputLimits& limits) {
  check_slots(batch.sequences.size(), batch.slots, conditioning);
  Layouts layouts{token_segments(batch, conditioning), row_segments(batch, conditioning)};
  inputs.rows(causal::kTokens, layouts.tokens);
  inputs.input(causal::kIds, checked_ids(batch.sequences, limits.vocabulary, "sequence"));
  if (conditioning.infix() != nullptr) add_infix(inputs, batch, conditioning);
  add_prompt_positions(inputs, conditioning, limits.positions);
  add_prefixes(inputs, conditioning);
  Ids slots;
  Ids shifts;
  std::int64_t longest = 0;  // positions of sequences that have a prompt in front
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    slots.push_back(slot_of(batch.slots, i));
    const std::int32_t prompt = prompt_length(batch, conditioning, i);
    shifts.push_back(prompt + conditioning.first_position(Site::decoder_self, slots.back()));
    if (prompt > 0) longest = std::max(longest, prompt + static_cast<std::int64_t>(batch.sequences[i].size()));
  }
  if (longest > 0) {
    inputs.add([longest](Session& session, const LabelWeights&) {
      check_behind_prompt(longest, longest_behind_prompt(session.program().graph()));
    });
  }
  inputs.front(causal::kSlots, std::move(slots));
  // keys and values of an infix have no positions unless they shift those of tokens
  const bool shifted = conditioning.infix() != nullptr && !conditioning.prompt && conditioning.prefix_shifts_positions;
  const bool own_rows = conditioning.placement == Placement::infix && !shifted;
  add_positions(inputs, causal::kPositions, own_rows ? layouts.rows : layouts.tokens, shifts, limits.positions);
  return layouts;
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
    Ids positions(batch.sequences[i].size());
    for (std::size_t t = 0; t < positions.size(); ++t) positions[t] = infix.position(static_cast<std::int32_t>(t));
    tokens.append(positions);
  }
  return tokens;
}

void feed_rows(Session& session, const CausalBatch& batch, const Conditioning& conditioning, const InputLimits& limits) {
  BatchInputs inputs;
  (void)add_rows(inputs, batch, conditioning, limits);
  inputs.feed(session);
}

BatchInputs inputs_of(const CausalBatch& batch, const Conditioning& conditioning, const InputLimits& limits) {
  BatchInputs inputs;
  const Layouts layouts = add_rows(inputs, batch, conditioning, limits);
  inputs.add([labels = batch.labels.size(), sequences = batch.sequences.size()](Session& session, const LabelWeights&) {
    require<ShapeError>(labels == sequences || !session.program().has_input(causal::kLabels),
                        "batch: labels of {} sequences were given; wanted {}", labels, sequences);
  });
  require<ShapeError>(batch.labels.size() <= batch.sequences.size(), "batch: labels of {} sequences were given; wanted {}",
                      batch.labels.size(), batch.sequences.size());
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    require<ShapeError>(batch.labels[i].size() == batch.sequences[i].size(), "sequence {}: {} labels were given for {} tokens", i,
                        batch.labels[i].size(), batch.sequences[i].size());
  }
  Ids index;
  Ids merge;
  Ids labels;
  Ids sequences;
  std::vector<std::int64_t> counts(batch.sequences.size());
  for_labels(batch, conditioning, [&](std::size_t i, std::int32_t token, std::int32_t label) {
    require<ConfigError>(label >= 0 && label < limits.vocabulary, "sequence {}: label {} was given; the vocabulary has {}", i, label, limits.vocabulary);
    // a prompt's last row stands for what is computed for the first token here
    merge.push_back(token >= 0 ? static_cast<std::int32_t>(merge.size()) : -1 - last_prompt_row(batch, conditioning, i));
    index.push_back(layouts.tokens.offset(static_cast<std::int32_t>(i)) + std::max(token, 0));
    labels.push_back(label);
    sequences.push_back(static_cast<std::int32_t>(i));
    ++counts[i];
  });
  inputs.select(causal::kLabelled, std::move(index));
  inputs.input(causal::kLabelledMerge, std::move(merge));
  inputs.input(causal::kLabels, std::move(labels));
  inputs.weights(causal::kLabelWeights, causal::kLossWeight, std::move(sequences));
  inputs.count(layouts.rows.rows(), std::move(counts));
  return inputs;
}

void feed(Session& session, const CausalBatch& batch, const Conditioning& conditioning, const InputLimits& limits, double loss_weight) {
  inputs_of(batch, conditioning, limits).feed(session, {loss_weight});
}

}  // namespace preamble
