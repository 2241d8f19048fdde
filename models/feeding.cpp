#include "models/feeding.h"

#include <algorithm>

#include "engine/core/error.h"

namespace preamble {

std::int64_t total_rows(std::span<const Ids> sequences) noexcept {
  std::int64_t rows = 0;
  for (const auto& sequence : sequences) rows += static_cast<std::int64_t>(sequence.size());
  return rows;
}

Segments segments_of(std::span<const Ids> sequences) { return prompted_segments(sequences, {}, {}); }

Segments prompted_segments(std::span<const Ids> sequences, std::span<const std::int32_t> slots, const Conditioning& conditioning) {
  Segments segments;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const std::int32_t prompt = conditioning.prompt ? conditioning.prompt->space.slots.length(slot_of(slots, i)) : 0;
    segments.append(prompt + static_cast<std::int32_t>(sequences[i].size()));
  }
  return segments;
}

Ids last_rows(const Segments& segments) {
  const auto ends = segments.offsets().subspan(1);
  Ids last(ends.begin(), ends.end());
  for (auto& row : last) --row;
  return last;
}

std::int32_t slot_of(std::span<const std::int32_t> slots, std::size_t i) {
  if (slots.empty()) return 0;
  require<ShapeError>(i < slots.size(), "batch: {} slots were given; sequence {} has none", slots.size(), i);
  return slots[i];
}

void feed_one_segment(Session& session, std::string_view space, std::size_t rows) {
  const auto count = static_cast<std::int32_t>(rows);
  session.rows(space, Segments(std::span(&count, 1)));
}

void feed_input(Session& session, std::string_view name, std::span<const std::int32_t> values) {
  if (session.program().has_input(name)) session.set<std::int32_t>(name, values);
}

void feed_front(Session& session, std::string_view name, std::span<const std::int32_t> values) {
  if (!session.program().has_input(name)) return;
  const auto memory = session.input<std::int32_t>(name);
  require<ShapeError>(values.size() <= memory.size(), "input '{}': {} values were given; the program holds {}", name, values.size(), memory.size());
  std::ranges::fill(memory, 0);
  std::ranges::copy(values, memory.begin());
}

std::int32_t position_row(std::int64_t position, const PositionTable& table, std::size_t sequence) {
  require<ShapeError>(position < table.positions, "sequence {}: {} positions are needed, virtual tokens included; the model has {}", sequence,
                      position + 1, table.positions);
  return static_cast<std::int32_t>(table.offset + position);
}

void feed_reals(Session& session, std::string_view name, std::span<const double> values) {
  if (!session.program().has_input(name)) return;
  if (session.program().graph().real() == Dtype::f64) {
    session.set<double>(name, values);
  } else {
    const std::vector<float> narrow(values.begin(), values.end());
    session.set<float>(name, narrow);
  }
}

void feed_scalar(Session& session, std::string_view name, double value) {
  if (!session.program().has_input(name)) return;
  if (session.program().graph().real() == Dtype::f64) {
    session.input<double>(name)[0] = value;
  } else {
    session.input<float>(name)[0] = static_cast<float>(value);
  }
}

}  // namespace preamble
