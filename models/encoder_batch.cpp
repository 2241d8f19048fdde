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

}  // namespace

EncoderCapacity EncoderBatch::capacity() const noexcept {
  return {std::max<std::int64_t>(1, static_cast<std::int64_t>(sequences.size())), std::max<std::int64_t>(1, tokens())};
}

Segments row_segments(const EncoderBatch& batch, const Conditioning& conditioning) {
  return prompted_segments(batch.sequences, batch.slots, conditioning);
}

void feed_rows(Session& session, const EncoderBatch& batch, const Conditioning& conditioning, const EncoderLimits& limits) {
  check_slots(batch.sequences.size(), batch.slots, conditioning);
  session.rows(encoder::kTokens, segments_of(batch.sequences));
  feed_tokens(session, encoder::kIds, batch.sequences, limits.inputs.vocabulary, "sequence");
  feed_prompt(session, batch.sequences, batch.slots, conditioning, encoder::kPrompt);
  feed_prefixes(session, conditioning);
  const Segments rows = row_segments(batch, conditioning);
  Ids slots;
  Ids shifts;
  Ids tokens;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    const auto segment = static_cast<std::int32_t>(i);
    const auto length = static_cast<std::int32_t>(batch.sequences[i].size());
    slots.push_back(slot_of(batch.slots, i));
    shifts.push_back(conditioning.first_position(Site::encoder_self, slots.back()));
    const std::int32_t first = rows.offset(segment) + rows.length(segment) - length;
    for (std::int32_t t = 0; t < length; ++t) tokens.push_back(first + t);
  }
  feed_front(session, encoder::kSlots, slots);
  session.select(encoder::kTokenRows, tokens);
  feed_input(session, encoder::kTokenTypes, row_types(batch, rows, limits));
  feed_positions(session, encoder::kPositions, rows, shifts, limits.inputs.positions);
}

}  // namespace preamble
