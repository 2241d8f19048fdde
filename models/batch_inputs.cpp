#include "models/batch_inputs.h"

#include <numeric>

#include "engine/core/error.h"
#include "models/position_counts.h"

namespace preamble {

void BatchInputs::rows(std::string_view space, Segments segments) {
  add([name = std::string(space), segments = std::move(segments)](Session& session, const LabelWeights&) { session.rows(name, segments); });
}

void BatchInputs::select(std::string_view subset, Ids index) {
  add([name = std::string(subset), index = std::move(index)](Session& session, const LabelWeights&) { session.select(name, index); });
}

void BatchInputs::input(std::string_view name, Ids values) {
  add([name = std::string(name), values = std::move(values)](Session& session, const LabelWeights&) { feed_input(session, name, values); });
}

void BatchInputs::front(std::string_view name, Ids values) {
  add([name = std::string(name), values = std::move(values)](Session& session, const LabelWeights&) { feed_front(session, name, values); });
}

void BatchInputs::weights(std::string_view each, std::string_view shared, Ids sequences) {
  add([each = std::string(each), shared = std::string(shared), sequences = std::move(sequences)](Session& session,
                                                                                                 const LabelWeights& weights) {
    if (session.program().has_input(each)) {
      std::vector<double> of_labels(sequences.size(), weights.all);
      if (!weights.of_sequences.empty()) {
        for (std::size_t i = 0; i < sequences.size(); ++i) of_labels[i] = weights.of_sequences.at(static_cast<std::size_t>(sequences[i]));
      }
      feed_reals(session, each, of_labels);
    } else {
      feed_scalar(session, shared, weights.all);
    }
  });
}

void BatchInputs::count(std::int64_t rows, std::vector<std::int64_t> labels) {
  computed_rows_ = rows;
  label_counts_ = std::move(labels);
}

void BatchInputs::feed(Session& session, const LabelWeights& weights) const {
  for (const auto& feed : feeds_) feed(session, weights);
}

std::int64_t BatchInputs::labels() const noexcept { return std::accumulate(label_counts_.begin(), label_counts_.end(), std::int64_t{0}); }

void check_slots(std::size_t sequences, std::span<const std::int32_t> slots, const Conditioning& conditioning) {
  const auto check = [&](const SlotSpace& space) {
    for (std::size_t i = 0; i < sequences; ++i) {
      const std::int32_t slot = slot_of(slots, i);
      require<ConfigError>(slot >= 0 && slot < space.slots.count(), "sequence {}: slot {} was given; there are {}", i, slot,
                           space.slots.count());
    }
  };
  if (conditioning.prompt) check(conditioning.prompt->space);
  for (const auto& [site, prefix] : conditioning.prefixes) check(prefix.space);
}

Ids checked_ids(std::span<const Ids> sequences, std::int64_t vocabulary, std::string_view what) {
  Ids ids;
  for (const auto& sequence : sequences) {
    for (const auto id : sequence) {
      require<ConfigError>(id >= 0 && id < vocabulary, "{}: token id {} was given; the vocabulary has {}", what, id, vocabulary);
      ids.push_back(id);
    }
  }
  return ids;
}

Ids position_rows(const Segments& rows, std::span<const std::int32_t> shifts, const PositionTable& table) {
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
  return positions;
}

void add_positions(BatchInputs& inputs, std::string_view name, const Segments& rows, std::span<const std::int32_t> shifts,
                   const PositionTable& table) {
  if (table.positions == 0) return;
  inputs.input(name, position_rows(rows, shifts, table));
  const RowLayout layout = rows.layout();
  Ids counts;
  for (std::int32_t s = 0; s < rows.count(); ++s) {
    const std::int32_t length = rows.length(s);
    if (length == 0) continue;
    const std::int32_t end = shifts[static_cast<std::size_t>(s)] + static_cast<std::int32_t>(layout.position(s, rows.offset(s + 1) - 1)) + 1;
    counts.insert(counts.end(), static_cast<std::size_t>(length), end);
  }
  inputs.input(counts_of(name), std::move(counts));
}

void add_inserted(BatchInputs& inputs, std::span<const Ids> sequences, std::span<const std::int32_t> slots, const SlotSpace& space,
                  std::span<const std::int32_t> at, const PromptNames& names) {
  Ids merge;
  Ids inserted;
  Segments rows;
  std::int32_t token = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const std::int32_t slot = slot_of(slots, i);
    const std::int32_t length = space.slots.length(slot);
    const std::int32_t end = token + static_cast<std::int32_t>(sequences[i].size());
    for (const std::int32_t behind = at.empty() ? token : token + at[i]; token < behind;) merge.push_back(token++);
    for (std::int32_t p = 0; p < length; ++p) {
      inserted.push_back(static_cast<std::int32_t>(merge.size()));
      merge.push_back(-1 - (space.slots.offset(slot) + p));
    }
    while (token < end) merge.push_back(token++);
    rows.append(length + static_cast<std::int32_t>(sequences[i].size()));
  }
  inputs.rows(space.name, space.slots);
  inputs.rows(names.rows, std::move(rows));
  inputs.select(names.prompt_rows, std::move(inserted));
  inputs.input(names.index, std::move(merge));
}

void add_prompt(BatchInputs& inputs, std::span<const Ids> sequences, std::span<const std::int32_t> slots, const Conditioning& conditioning,
                const PromptNames& names) {
  if (conditioning.prompt) add_inserted(inputs, sequences, slots, conditioning.prompt->space, {}, names);
}

void add_prefixes(BatchInputs& inputs, const Conditioning& conditioning) {
  for (const auto& [site, prefix] : conditioning.prefixes) {
    inputs.rows(prefix.space.name, prefix.space.slots);
    for (const auto& [layer, space] : prefix.partial) inputs.rows(space.name, space.slots);
  }
}

void feed_prefixes(Session& session, const Conditioning& conditioning) {
  BatchInputs inputs;
  add_prefixes(inputs, conditioning);
  inputs.feed(session);
}

}  // namespace preamble
