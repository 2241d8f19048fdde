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

void feed_prompt(Session& session, std::span<const Ids> sequences, std::span<const std::int32_t> slots, const Conditioning& conditioning,
                 const PromptNames& names) {
  if (!conditioning.prompt) return;
  const SlotSpace& space = conditioning.prompt->space;
  session.rows(space.name, space.slots);
  session.rows(names.rows, prompted_segments(sequences, slots, conditioning));
  Ids merge;
  Ids where;
  Segments prompts;
  std::int32_t token = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const std::int32_t slot = slot_of(slots, i);
    const std::int32_t length = space.slots.length(slot);
    for (std::int32_t p = 0; p < length; ++p) {
      where.push_back(static_cast<std::int32_t>(merge.size()));
      merge.push_back(-1 - (space.slots.offset(slot) + p));
    }
    prompts.append(length);
    for (std::size_t t = 0; t < sequences[i].size(); ++t) merge.push_back(token++);
  }
  session.rows(names.prompt_rows, prompts);
  feed_input(session, names.index, merge);
  feed_input(session, names.prompt_index, where);
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
  Ids positions;
  for (std::int32_t s = 0; s < rows.count(); ++s) {
    const auto sequence = static_cast<std::size_t>(s);
    const std::int64_t end = std::int64_t{shifts[sequence]} + rows.length(s);
    if (end > 0) static_cast<void>(position_row(end - 1, table, sequence));
    for (std::int64_t position = shifts[sequence]; position < end; ++position) positions.push_back(static_cast<std::int32_t>(table.offset + position));
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
