#include "models/seq2seq_batch.h"

#include <algorithm>
#include <numeric>

#include "engine/core/error.h"

namespace preamble {
namespace {

using Ids = std::vector<std::int32_t>;

std::int64_t total(const std::vector<Ids>& sequences) noexcept {
  std::int64_t rows = 0;
  for (const auto& sequence : sequences) rows += static_cast<std::int64_t>(sequence.size());
  return rows;
}

Segments segments_of(const std::vector<Ids>& sequences) {
  Segments segments;
  for (const auto& sequence : sequences) segments.append(static_cast<std::int32_t>(sequence.size()));
  return segments;
}

void set(Session& session, std::string_view name, const Ids& values) {
  if (session.program().has_input(name)) session.set<std::int32_t>(name, values);
}

/// Fills an input of fixed length from the front; what lies behind belongs to no segment.
void set_front(Session& session, std::string_view name, const Ids& values) {
  if (!session.program().has_input(name)) return;
  const auto memory = session.input<std::int32_t>(name);
  require<ShapeError>(values.size() <= memory.size(), "input '{}': {} values were given; the program holds {}", name, values.size(), memory.size());
  std::ranges::fill(memory, 0);
  std::ranges::copy(values, memory.begin());
}

Ids flat(const std::vector<Ids>& sequences, std::int64_t vocabulary, std::string_view what) {
  Ids ids;
  for (const auto& sequence : sequences) {
    for (const auto id : sequence) {
      require<ConfigError>(id >= 0 && id < vocabulary, "{}: token id {} was given; the vocabulary has {}", what, id, vocabulary);
      ids.push_back(id);
    }
  }
  return ids;
}

std::int32_t slot_of(const Seq2SeqBatch& batch, std::size_t source) { return batch.slots.empty() ? 0 : batch.slots.at(source); }

std::size_t source_of(const Seq2SeqBatch& batch, std::size_t target) {
  return batch.target_sources.empty() ? target : static_cast<std::size_t>(batch.target_sources.at(target));
}

void check_slots(const Seq2SeqBatch& batch, const SlotSpace& space) {
  for (std::size_t i = 0; i < batch.sources.size(); ++i) {
    const std::int32_t slot = slot_of(batch, i);
    require<ConfigError>(slot >= 0 && slot < space.slots.count(), "sequence {}: slot {} was given; there are {}", i, slot, space.slots.count());
  }
}

void feed_prompts(Session& session, const Seq2SeqBatch& batch, const SlotSpace& space) {
  check_slots(batch, space);
  session.rows(space.name, space.slots);
  Ids merge;
  Ids where;
  Segments prompts;
  std::int32_t token = 0;
  for (std::size_t i = 0; i < batch.sources.size(); ++i) {
    const std::int32_t slot = slot_of(batch, i);
    const std::int32_t length = space.slots.length(slot);
    for (std::int32_t p = 0; p < length; ++p) {
      where.push_back(static_cast<std::int32_t>(merge.size()));
      merge.push_back(-1 - (space.slots.offset(slot) + p));
    }
    prompts.append(length);
    for (std::size_t t = 0; t < batch.sources[i].size(); ++t) merge.push_back(token++);
  }
  session.rows(seq2seq::kPromptRows, prompts);
  set(session, seq2seq::kMergeIndex, merge);
  set(session, seq2seq::kPromptIndex, where);
}

}  // namespace

std::int64_t Seq2SeqBatch::label_count() const noexcept {
  std::int64_t count = 0;
  for (const auto& sequence : labels) count += std::ranges::count_if(sequence, [](std::int32_t label) { return label != kNoLabel; });
  return count;
}

std::int64_t Seq2SeqBatch::source_rows() const noexcept { return total(sources); }
std::int64_t Seq2SeqBatch::target_rows() const noexcept { return total(decoder_inputs); }

Seq2SeqCapacity Seq2SeqBatch::capacity() const noexcept {
  Seq2SeqCapacity capacity;
  capacity.sequences = std::max<std::int64_t>(1, static_cast<std::int64_t>(sources.size()));
  capacity.source_rows = std::max<std::int64_t>(1, source_rows());
  capacity.target_rows = std::max<std::int64_t>(1, target_rows());
  capacity.targets = target_sources.empty() ? 0 : static_cast<std::int64_t>(target_sources.size());
  return capacity;
}

std::vector<std::int32_t> shifted_right(const std::vector<std::int32_t>& labels, std::int32_t start, std::int32_t pad) {
  Ids shifted;
  shifted.reserve(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::int32_t previous = i == 0 ? start : labels[i - 1];
    shifted.push_back(previous == kNoLabel ? pad : previous);
  }
  return shifted;
}

Segments encoder_segments(const Seq2SeqBatch& batch, const Conditioning& conditioning) {
  Segments segments;
  for (std::size_t i = 0; i < batch.sources.size(); ++i) {
    const std::int32_t prompt = conditioning.prompt ? conditioning.prompt->space.slots.length(slot_of(batch, i)) : 0;
    segments.append(prompt + static_cast<std::int32_t>(batch.sources[i].size()));
  }
  return segments;
}

void feed_sources(Session& session, const Seq2SeqBatch& batch, const Conditioning& conditioning, std::int64_t vocabulary) {
  session.rows(seq2seq::kSource, segments_of(batch.sources));
  set(session, seq2seq::kSourceIds, flat(batch.sources, vocabulary, "source"));
  if (conditioning.prompt) {
    check_slots(batch, conditioning.prompt->space);
    session.rows(seq2seq::kEncoder, encoder_segments(batch, conditioning));
    feed_prompts(session, batch, conditioning.prompt->space);
  }
  for (const auto& [site, prefix] : conditioning.prefixes) {
    check_slots(batch, prefix.space);
    session.rows(prefix.space.name, prefix.space.slots);
  }
  Ids slots;
  for (std::size_t i = 0; i < batch.sources.size(); ++i) slots.push_back(slot_of(batch, i));
  set_front(session, seq2seq::kEncoderSlots, slots);
}

void feed(Session& session, const Seq2SeqBatch& batch, const Conditioning& conditioning, std::int64_t vocabulary, double loss_weight) {
  feed_sources(session, batch, conditioning, vocabulary);
  const Segments decoder = segments_of(batch.decoder_inputs);
  session.rows(seq2seq::kDecoder, decoder);
  set(session, seq2seq::kDecoderIds, flat(batch.decoder_inputs, vocabulary, "decoder input"));
  Ids slots;
  for (std::size_t i = 0; i < batch.decoder_inputs.size(); ++i) {
    require<ConfigError>(source_of(batch, i) < batch.sources.size(), "target {}: source {} was given; there are {}", i, source_of(batch, i),
                         batch.sources.size());
    slots.push_back(slot_of(batch, source_of(batch, i)));
  }
  set_front(session, seq2seq::kDecoderSlots, slots);
  set_front(session, seq2seq::kTargetSource, batch.target_sources);
  if (!session.program().has_input(seq2seq::kLabels)) return;
  Segments labelled;
  Ids index;
  Ids labels;
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    require<ShapeError>(batch.labels[i].size() == batch.decoder_inputs[i].size(), "target {}: {} labels were given for {} decoder positions", i,
                        batch.labels[i].size(), batch.decoder_inputs[i].size());
    Ids positions;
    for (std::size_t t = 0; t < batch.labels[i].size(); ++t) {
      const std::int32_t label = batch.labels[i][t];
      if (label == kNoLabel) continue;
      require<ConfigError>(label >= 0 && label < vocabulary, "target {}: label {} was given; the vocabulary has {}", i, label, vocabulary);
      positions.push_back(static_cast<std::int32_t>(t));
      index.push_back(decoder.offset(static_cast<std::int32_t>(i)) + static_cast<std::int32_t>(t));
      labels.push_back(label);
    }
    labelled.append(positions);
  }
  session.rows(seq2seq::kLabelled, labelled);
  set(session, seq2seq::kLabelledIndex, index);
  set(session, seq2seq::kLabels, labels);
  if (session.program().graph().real() == Dtype::f64) {
    session.input<double>(seq2seq::kLossWeight)[0] = loss_weight;
  } else {
    session.input<float>(seq2seq::kLossWeight)[0] = static_cast<float>(loss_weight);
  }
}

}  // namespace preamble
