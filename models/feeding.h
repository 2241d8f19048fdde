// What the batches of all families share on their way into a program's inputs.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/runtime/session.h"
#include "models/conditioning.h"
#include "models/language_model.h"

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
/// The last row of each segment.
[[nodiscard]] Ids last_rows(const Segments& segments);
/// Slot of sequence `i`; empty `slots`: 0.
[[nodiscard]] std::int32_t slot_of(std::span<const std::int32_t> slots, std::size_t i);

/// Lays so many rows out as one segment.
void feed_one_segment(Session& session, std::string_view space, std::size_t rows);
/// Fills an input if the program has it: passes may have found it useless.
void feed_input(Session& session, std::string_view name, std::span<const std::int32_t> values);
/// Fills an input of fixed length from the front; what lies behind belongs to no segment. Throws ShapeError if it is too short.
void feed_front(Session& session, std::string_view name, std::span<const std::int32_t> values);
/// One number a row, in the program's real type. Nothing if the program lacks the input.
void feed_reals(Session& session, std::string_view name, std::span<const double> values);
/// A scalar of the program's real type. Nothing if the program lacks the input.
void feed_scalar(Session& session, std::string_view name, double value);

/// Row of the position table for position `position` of sequence `sequence`. Throws ShapeError behind the table's end.
[[nodiscard]] std::int32_t position_row(std::int64_t position, const PositionTable& table, std::size_t sequence);

}  // namespace preamble
