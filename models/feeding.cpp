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

std::int32_t slot_of(std::span<const std::int32_t> slots, std::size_t i) {
  if (slots.empty()) return 0;
  require<ShapeError>(i < slots.size(), "batch: {} slots were given; sequence {} has none", slots.size(), i);
  return slots[i];
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

void feed_tokens(Session& session, std::string_view name, std::span<const Ids> sequences, std::int64_t vocabulary, std::string_view what) {
  Ids ids;
  for (const auto& sequence : sequences) {
    for (const auto id : sequence) {
      require<ConfigError>(id >= 0 && id < vocabulary, "{}: token id {} was given; the vocabulary has {}", what, id, vocabulary);
      ids.push_back(id);
    }
  }
  feed_input(session, name, ids);
}

void feed_inserted(Session& session, std::span<const Ids> sequences, std::span<const std::int32_t> slots, const SlotSpace& space,
                   std::span<const std::int32_t> at, const PromptNames& names) {
  Ids merge;
  Ids where;
  Segments rows;
  std::int32_t token = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const std::int32_t slot = slot_of(slots, i);
    const std::int32_t length = space.slots.length(slot);
    const std::int32_t end = token + static_cast<std::int32_t>(sequences[i].size());
    for (const std::int32_t place = at.empty() ? token : token + at[i]; token < place;) merge.push_back(token++);
    for (std::int32_t p = 0; p < length; ++p) {
      where.push_back(static_cast<std::int32_t>(merge.size()));
      merge.push_back(-1 - (space.slots.offset(slot) + p));
    }
    while (token < end) merge.push_back(token++);
    rows.append(length + static_cast<std::int32_t>(sequences[i].size()));
  }
  session.rows(space.name, space.slots);
  session.rows(names.rows, rows);
  session.select(names.prompt_rows, where);
  feed_input(session, names.index, merge);
}

void feed_prompt(Session& session, std::span<const Ids> sequences, std::span<const std::int32_t> slots, const Conditioning& conditioning,
                 const PromptNames& names) {
  if (conditioning.prompt) feed_inserted(session, sequences, slots, conditioning.prompt->space, {}, names);
}

void feed_prefixes(Session& session, const Conditioning& conditioning) {
  for (const auto& [site, prefix] : conditioning.prefixes) session.rows(prefix.space.name, prefix.space.slots);
}

void check_slots(std::size_t sequences, std::span<const std::int32_t> slots, const Conditioning& conditioning) {
  const auto check = [&](const SlotSpace& space) {
    for (std::size_t i = 0; i < sequences; ++i) {
      const std::int32_t slot = slot_of(slots, i);
      require<ConfigError>(slot >= 0 && slot < space.slots.count(), "sequence {}: slot {} was given; there are {}", i, slot, space.slots.count());
    }
  };
  if (conditioning.prompt) check(conditioning.prompt->space);
  for (const auto& [site, prefix] : conditioning.prefixes) check(prefix.space);
}

std::int32_t position_row(std::int64_t position, const PositionTable& table, std::size_t sequence) {
  require<ShapeError>(position < table.positions, "sequence {}: {} positions are needed, virtual tokens included; the model has {}", sequence,
                      position + 1, table.positions);
  return static_cast<std::int32_t>(table.offset + position);
}

void feed_positions(Session& session, std::string_view name, const Segments& rows, std::span<const std::int32_t> shifts,
                    const PositionTable& table) {
  if (table.positions == 0) return;
  const RowLayout layout = rows.layout();
  Ids positions;
  for (std::int32_t s = 0; s < rows.count(); ++s) {
    const auto sequence = static_cast<std::size_t>(s);
    const auto row_at = [&](std::int32_t row) {
      return position_row(std::int64_t{shifts[sequence]} + layout.position(s, row), table, sequence);
    };
    // the last one first: it says how many positions a sequence needs
    if (rows.length(s) > 0) static_cast<void>(row_at(rows.offset(s + 1) - 1));
    for (std::int32_t row = rows.offset(s); row < rows.offset(s + 1); ++row) positions.push_back(row_at(row));
  }
  feed_input(session, name, positions);
}

void feed_scalar(Session& session, std::string_view name, double value) {
  if (session.program().graph().real() == Dtype::f64) {
    session.input<double>(name)[0] = value;
  } else {
    session.input<float>(name)[0] = static_cast<float>(value);
  }
}

}  // namespace preamble
