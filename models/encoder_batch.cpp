#include "models/encoder_batch.h"

#include <algorithm>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// Token types of all rows; those of prompts are 0. A model with none or one ignores them: its tokenizer may be of another family.
Ids row_types(const EncoderBatch& batch, const Segments& rows, const EncoderLimits& limits) {
  Ids types;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    const std::size_t tokens = batch.sequences[i].size();
    types.resize(types.size() + static_cast<std::size_t>(rows.length(static_cast<std::int32_t>(i))) - tokens, 0);
    if (batch.token_types.empty() || !limits.uses_token_types || limits.token_types <= 1) {
      types.resize(types.size() + tokens, 0);
      continue;
    }
    require<ShapeError>(i < batch.token_types.size() && batch.token_types[i].size() == tokens, "sequence {}: {} token types were given for {} tokens", i,
                        i < batch.token_types.size() ? batch.token_types[i].size() : 0, tokens);
    for (const auto type : batch.token_types[i]) {
      require<ConfigError>(type >= 0 && type < limits.token_types, "sequence {}: token type {} was given; the model has {}", i, type, limits.token_types);
      types.push_back(type);
    }
  }
  return types;
}

/// What the batch says of a sequence, or what follows from its tokens.
BlankPositions positions_of(const EncoderBatch& batch, std::size_t i, const BlankFilling& filling) {
  const std::size_t tokens = batch.sequences[i].size();
  if (batch.positions.empty() || batch.block_positions.empty() || batch.contexts.empty()) {
    require<ShapeError>(batch.positions.empty() && batch.block_positions.empty() && batch.contexts.empty(),
                        "batch: positions, block positions and contexts; wanted all of them or none");
    // without tokens that begin pieces all is part A
    return blank_positions(batch.sequences[i], filling.tokens.value_or(BlankTokens{.start = -1, .end = -1}), i);
  }
  require<ShapeError>(i < batch.positions.size() && i < batch.block_positions.size() && i < batch.contexts.size() &&
                          batch.positions[i].size() == tokens && batch.block_positions[i].size() == tokens,
                      "sequence {}: positions of other tokens were given; wanted those of its {}", i, tokens);
  return {batch.positions[i], batch.block_positions[i], batch.contexts[i]};
}

void add_blanks(BatchInputs& inputs, const EncoderBatch& batch, const Conditioning& conditioning, const EncoderLimits& limits) {
  Ids positions, blocks, contexts;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    const BlankPositions found = row_positions(batch, i, conditioning, limits);
    positions.insert(positions.end(), found.positions.begin(), found.positions.end());
    blocks.insert(blocks.end(), found.block_positions.begin(), found.block_positions.end());
    contexts.push_back(found.context);
  }
  inputs.input(encoder::kPositions, std::move(positions));
  inputs.input(encoder::kBlockPositions, std::move(blocks));
  inputs.front(encoder::kContexts, std::move(contexts));
}

}  // namespace

std::int32_t block_row(std::int32_t position, std::int64_t rows, std::size_t sequence) {
  require<ShapeError>(position >= 0 && (rows == 0 || position < rows), "sequence {}: a piece needs position {} inside it; the model has {}", sequence,
                      position, rows - 1);
  return position;
}

std::int32_t context_of(const EncoderBatch& batch, std::size_t sequence, const BlankFilling& filling) {
  return positions_of(batch, sequence, filling).context;
}

BlankPositions row_positions(const EncoderBatch& batch, std::size_t sequence, const Conditioning& conditioning,
                             const EncoderLimits& limits) {
  const BlankFilling& filling = *limits.blanks;
  BlankPositions found = positions_of(batch, sequence, filling);
  const std::int32_t slot = slot_of(batch.slots, sequence);
  const std::int32_t prompt = conditioning.prompt ? conditioning.prompt->space.slots.length(slot) : 0;
  const std::int32_t shift = prompt + conditioning.first_position(Site::decoder_self, slot);
  for (auto& position : found.positions) {
    require<ConfigError>(position >= 0, "sequence {}: position {} was given; wanted 0 or more", sequence, position);
    position = position_row(position + shift, limits.inputs.positions, sequence);
  }
  for (auto& block : found.block_positions) block = block_row(block, filling.block_positions, sequence);
  Ids front;
  for (std::int32_t p = 0; p < prompt; ++p) front.push_back(position_row(p, limits.inputs.positions, sequence));
  found.positions.insert(found.positions.begin(), front.begin(), front.end());
  found.block_positions.insert(found.block_positions.begin(), front.size(), 0);
  found.context += prompt;
  return found;
}

EncoderCapacity EncoderBatch::capacity() const noexcept {
  return {std::max<std::int64_t>(1, static_cast<std::int64_t>(sequences.size())), std::max<std::int64_t>(1, tokens())};
}

Segments row_segments(const EncoderBatch& batch, const Conditioning& conditioning) {
  return prompted_segments(batch.sequences, batch.slots, conditioning);
}

Segments add_rows(BatchInputs& inputs, const EncoderBatch& batch, const Conditioning& conditioning, const EncoderLimits& limits) {
  check_slots(batch.sequences.size(), batch.slots, conditioning);
  inputs.rows(encoder::kTokens, segments_of(batch.sequences));
  inputs.input(encoder::kIds, checked_ids(batch.sequences, limits.inputs.vocabulary, "sequence"));
  add_prompt(inputs, batch.sequences, batch.slots, conditioning, encoder::kPrompt);
  add_prefixes(inputs, conditioning);
  Segments rows = row_segments(batch, conditioning);
  Ids slots;
  Ids shifts;
  Ids tokens;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    const auto segment = static_cast<std::int32_t>(i);
    const auto length = static_cast<std::int32_t>(batch.sequences[i].size());
    slots.push_back(slot_of(batch.slots, i));
    shifts.push_back(conditioning.first_position(limits.site, slots.back()));
    const std::int32_t first = rows.offset(segment) + rows.length(segment) - length;
    for (std::int32_t t = 0; t < length; ++t) tokens.push_back(first + t);
  }
  inputs.front(encoder::kSlots, std::move(slots));
  inputs.select(encoder::kTokenRows, std::move(tokens));
  inputs.input(encoder::kTokenTypes, row_types(batch, rows, limits));
  if (limits.blanks) {
    add_blanks(inputs, batch, conditioning, limits);
  } else {
    add_positions(inputs, encoder::kPositions, rows, shifts, limits.inputs.positions);
  }
  return rows;
}

void feed_rows(Session& session, const EncoderBatch& batch, const Conditioning& conditioning, const EncoderLimits& limits) {
  BatchInputs inputs;
  (void)add_rows(inputs, batch, conditioning, limits);
  inputs.feed(session);
}

}  // namespace preamble
