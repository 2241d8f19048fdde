// What the batches of all families share on their way into a program's inputs.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/runtime/session.h"
#include "models/conditioning.h"
#include "models/language_model.h"
#include "models/prompt_names.h"

namespace preamble {

/// Marks a position without a label, as in transformers.
inline constexpr std::int32_t kNoLabel = -100;

using Ids = std::vector<std::int32_t>;

/// Tokens of all sequences.
[[nodiscard]] std::int64_t total_rows(std::span<const Ids> sequences) noexcept;
/// One segment a sequence.
[[nodiscard]] Segments segments_of(std::span<const Ids> sequences);
/// The same with each sequence's prompt in front. `slots`: of each sequence; empty: slot 0 for all.
[[nodiscard]] Segments prompted_segments(std::span<const Ids> sequences, std::span<const std::int32_t> slots, const Conditioning& conditioning);
/// Slot of sequence `i`; empty `slots`: 0.
[[nodiscard]] std::int32_t slot_of(std::span<const std::int32_t> slots, std::size_t i);

/// Fills an input if the program has it: passes may have found it useless.
void feed_input(Session& session, std::string_view name, std::span<const std::int32_t> values);
/// Fills an input of fixed length from the front; what lies behind belongs to no segment. Throws ShapeError if it is too short.
void feed_front(Session& session, std::string_view name, std::span<const std::int32_t> values);
/// The ids of all sequences. Throws ConfigError in the name of `what` for an id that the vocabulary does not have.
void feed_tokens(Session& session, std::string_view name, std::span<const Ids> sequences, std::int64_t vocabulary, std::string_view what);
/// Layout and indices of sequences with the rows of a slot inside each, in front of token at[i] (empty: of the first one): see `with_rows`.
void feed_inserted(Session& session, std::span<const Ids> sequences, std::span<const std::int32_t> slots, const SlotSpace& space,
                   std::span<const std::int32_t> at, const PromptNames& names);
/// The same for prompts in front, if there are prompts.
void feed_prompt(Session& session, std::span<const Ids> sequences, std::span<const std::int32_t> slots, const Conditioning& conditioning,
                 const PromptNames& names);
/// Layouts of the prefixes.
void feed_prefixes(Session& session, const Conditioning& conditioning);
/// Throws ConfigError for a slot that a prompt or prefix does not have.
void check_slots(std::size_t sequences, std::span<const std::int32_t> slots, const Conditioning& conditioning);

/// Row of the position table for position `position` of sequence `sequence`. Throws ShapeError behind the table's end.
[[nodiscard]] std::int32_t position_row(std::int64_t position, const PositionTable& table, std::size_t sequence);
/// Rows of the position table for all rows of a layout; place 0 of segment s has position shifts[s]. Nothing for a model without one.
void feed_positions(Session& session, std::string_view name, const Segments& rows, std::span<const std::int32_t> shifts,
                    const PositionTable& table);

/// A scalar of the program's real type.
void feed_scalar(Session& session, std::string_view name, double value);

}  // namespace preamble
