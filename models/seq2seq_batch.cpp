#include "models/seq2seq_batch.h"

#include <algorithm>

#include "engine/core/error.h"

namespace preamble {
namespace {

std::size_t source_of(const Seq2SeqBatch& batch, std::size_t target) {
  return batch.target_sources.empty() ? target : static_cast<std::size_t>(batch.target_sources.at(target));
}

}  // namespace

std::int64_t Seq2SeqBatch::label_count() const noexcept {
  std::int64_t count = 0;
  for (const auto& sequence : labels) count += std::ranges::count_if(sequence, [](std::int32_t label) { return label != kNoLabel; });
  return count;
}

std::int64_t Seq2SeqBatch::source_rows() const noexcept { return total_rows(sources); }
std::int64_t Seq2SeqBatch::target_rows() const noexcept { return total_rows(decoder_inputs); }

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
  return prompted_segments(batch.sources, batch.slots, conditioning);
}

void feed_sources(Session& session, const Seq2SeqBatch& batch, const Conditioning& conditioning, const InputLimits& limits) {
  check_slots(batch.sources.size(), batch.slots, conditioning);
  session.rows(seq2seq::kSource, segments_of(batch.sources));
  feed_tokens(session, seq2seq::kSourceIds, batch.sources, limits.vocabulary, "source");
  feed_prompt(session, batch.sources, batch.slots, conditioning, seq2seq::kPrompt);
  feed_prefixes(session, conditioning);
  Ids slots;
  Ids shifts;
  for (std::size_t i = 0; i < batch.sources.size(); ++i) {
    slots.push_back(slot_of(batch.slots, i));
    shifts.push_back(conditioning.first_position(Site::encoder_self, slots.back()));
  }
  feed_front(session, seq2seq::kEncoderSlots, slots);
  feed_positions(session, seq2seq::kEncoderPositions, encoder_segments(batch, conditioning), shifts, limits.positions);
}

void feed(Session& session, const Seq2SeqBatch& batch, const Conditioning& conditioning, const InputLimits& limits, double loss_weight) {
  feed_sources(session, batch, conditioning, limits);
  const Segments decoder = segments_of(batch.decoder_inputs);
  session.rows(seq2seq::kDecoder, decoder);
  feed_tokens(session, seq2seq::kDecoderIds, batch.decoder_inputs, limits.vocabulary, "decoder input");
  Ids slots;
  Ids shifts;
  for (std::size_t i = 0; i < batch.decoder_inputs.size(); ++i) {
    require<ConfigError>(source_of(batch, i) < batch.sources.size(), "target {}: source {} was given; there are {}", i, source_of(batch, i),
                         batch.sources.size());
    slots.push_back(slot_of(batch.slots, source_of(batch, i)));
    shifts.push_back(conditioning.first_position(Site::decoder_self, slots.back()));
  }
  feed_front(session, seq2seq::kDecoderSlots, slots);
  feed_front(session, seq2seq::kTargetSource, batch.target_sources);
  feed_positions(session, seq2seq::kDecoderPositions, decoder, shifts, limits.positions);
  if (!session.program().has_input(seq2seq::kLabels)) return;
  Ids index;
  Ids labels;
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    require<ShapeError>(batch.labels[i].size() == batch.decoder_inputs[i].size(), "target {}: {} labels were given for {} decoder positions", i,
                        batch.labels[i].size(), batch.decoder_inputs[i].size());
    for (std::size_t t = 0; t < batch.labels[i].size(); ++t) {
      const std::int32_t label = batch.labels[i][t];
      if (label == kNoLabel) continue;
      require<ConfigError>(label >= 0 && label < limits.vocabulary, "target {}: label {} was given; the vocabulary has {}", i, label, limits.vocabulary);
      index.push_back(decoder.offset(static_cast<std::int32_t>(i)) + static_cast<std::int32_t>(t));
      labels.push_back(label);
    }
  }
  session.select(seq2seq::kLabelled, index);
  feed_input(session, seq2seq::kLabels, labels);
  feed_scalar(session, seq2seq::kLossWeight, loss_weight);
}

}  // namespace preamble
