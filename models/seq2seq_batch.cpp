#include "models/seq2seq_batch.h"

#include <algorithm>

#include "engine/core/error.h"

namespace preamble {
namespace {

std::size_t source_of(const Seq2SeqBatch& batch, std::size_t target) {
  return batch.target_sources.empty() ? target : static_cast<std::size_t>(batch.target_sources.at(target));
}

/// Adds the encoder's side; returns the layout of its rows.
Segments add_sources(BatchInputs& inputs, const Seq2SeqBatch& batch, const Conditioning& conditioning, const InputLimits& limits) {
  check_slots(batch.sources.size(), batch.slots, conditioning);
  inputs.rows(seq2seq::kSource, segments_of(batch.sources));
  inputs.input(seq2seq::kSourceIds, checked_ids(batch.sources, limits.vocabulary, "source"));
  add_prompt(inputs, batch.sources, batch.slots, conditioning, seq2seq::kPrompt);
  add_prefixes(inputs, conditioning);
  Ids slots;
  Ids shifts;
  for (std::size_t i = 0; i < batch.sources.size(); ++i) {
    slots.push_back(slot_of(batch.slots, i));
    shifts.push_back(conditioning.first_position(Site::encoder_self, slots.back()));
  }
  inputs.front(seq2seq::kEncoderSlots, std::move(slots));
  Segments rows = encoder_segments(batch, conditioning);
  add_positions(inputs, seq2seq::kEncoderPositions, rows, shifts, limits.positions);
  return rows;
}

/// Adds the labels of all targets; returns how many each has.
std::vector<std::int64_t> add_labels(BatchInputs& inputs, const Seq2SeqBatch& batch, const Segments& decoder, const InputLimits& limits) {
  Ids index;
  Ids labels;
  Ids targets;
  std::vector<std::int64_t> counts(batch.labels.size());
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    require<ShapeError>(i < batch.decoder_inputs.size() && batch.labels[i].size() == batch.decoder_inputs[i].size(),
                        "target {}: {} labels were given for {} decoder positions", i, batch.labels[i].size(),
                        i < batch.decoder_inputs.size() ? batch.decoder_inputs[i].size() : 0);
    for (std::size_t t = 0; t < batch.labels[i].size(); ++t) {
      const std::int32_t label = batch.labels[i][t];
      if (label == kNoLabel) continue;
      require<ConfigError>(label >= 0 && label < limits.vocabulary, "target {}: label {} was given; the vocabulary has {}", i, label,
                           limits.vocabulary);
      index.push_back(decoder.offset(static_cast<std::int32_t>(i)) + static_cast<std::int32_t>(t));
      labels.push_back(label);
      targets.push_back(static_cast<std::int32_t>(i));
      ++counts[i];
    }
  }
  inputs.select(seq2seq::kLabelled, std::move(index));
  inputs.input(seq2seq::kLabels, std::move(labels));
  inputs.weights(seq2seq::kLabelWeights, seq2seq::kLossWeight, std::move(targets));
  return counts;
}

}  // namespace

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
  BatchInputs inputs;
  (void)add_sources(inputs, batch, conditioning, limits);
  inputs.feed(session);
}

BatchInputs inputs_of(const Seq2SeqBatch& batch, const Conditioning& conditioning, const InputLimits& limits) {
  BatchInputs inputs;
  const Segments encoder = add_sources(inputs, batch, conditioning, limits);
  Segments decoder = segments_of(batch.decoder_inputs);
  inputs.rows(seq2seq::kDecoder, decoder);
  inputs.input(seq2seq::kDecoderIds, checked_ids(batch.decoder_inputs, limits.vocabulary, "decoder input"));
  Ids slots;
  Ids shifts;
  for (std::size_t i = 0; i < batch.decoder_inputs.size(); ++i) {
    require<ConfigError>(source_of(batch, i) < batch.sources.size(), "target {}: source {} was given; there are {}", i, source_of(batch, i),
                         batch.sources.size());
    slots.push_back(slot_of(batch.slots, source_of(batch, i)));
    shifts.push_back(conditioning.first_position(Site::decoder_self, slots.back()));
  }
  inputs.front(seq2seq::kDecoderSlots, std::move(slots));
  inputs.front(seq2seq::kTargetSource, batch.target_sources);
  add_positions(inputs, seq2seq::kDecoderPositions, decoder, shifts, limits.positions);
  inputs.count(encoder.rows() + decoder.rows(), add_labels(inputs, batch, decoder, limits));
  return inputs;
}

void feed(Session& session, const Seq2SeqBatch& batch, const Conditioning& conditioning, const InputLimits& limits, double loss_weight) {
  inputs_of(batch, conditioning, limits).feed(session, {loss_weight});
}

}  // namespace preamble
