#include "models/blank_decoder.h"

#include "engine/core/error.h"
#include "engine/ops/gather_rows.h"
#include "models/encoder_batch.h"

namespace preamble {
namespace {

/// Subset of the rows: the last one of each sequence.
constexpr std::string_view kLastRows = "rows.last";

VirtualRows virtual_rows(const Conditioning& conditioning) {
  VirtualRows rows{conditioning, conditioning.prompt ? conditioning.prompt->space.longest() : 0};
  rows.once.prompt.reset();
  return rows;
}

}  // namespace

BlankDecoder::BlankDecoder(BlankModel& model, const Conditioner& conditioner, const CausalDecoderCapacity& capacity)
    : BlankDecoder(model, conditioner, capacity, conditioning_alone(model, conditioner)) {}

BlankDecoder::BlankDecoder(BlankModel& model, const Conditioner& conditioner, const CausalDecoderCapacity& capacity,
                           const Conditioning& conditioning)
    : PoolDecoder(model, conditioner, capacity, conditioning, virtual_rows(conditioning)), model_(model) {}

Value BlankDecoder::prefill_logits(Graph& graph, const Conditioning& conditioning, const CausalDecoderCapacity& capacity,
                                   std::vector<KeyValueCache>& caches) {
  const Value hidden = model_.prefill(graph, conditioning, {capacity.sequences, capacity.prompt_tokens}, caches);
  return model_.mlm_head(graph, gather_rows(hidden, graph.subset(kLastRows, hidden.type().rows, capacity.sequences)));
}

Value BlankDecoder::step_logits(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest,
                                std::vector<KeyValueCache>& caches) {
  return model_.mlm_head(graph, model_.step(graph, conditioning, rows, longest, caches));
}

Segments BlankDecoder::feed_prompts(Session& session, std::span<const Ids> prompts, std::span<const std::int32_t> slots,
                                    const Conditioning& conditioning) {
  EncoderBatch batch;
  batch.sequences.assign(prompts.begin(), prompts.end());
  batch.slots.assign(slots.begin(), slots.end());
  const EncoderLimits limits = model_.encoder_limits();
  feed_rows(session, batch, conditioning, limits);
  const Segments rows = row_segments(batch, conditioning);
  pieces_.clear();
  for (std::int32_t s = 0; s < rows.count(); ++s) {
    const BlankPositions found = row_positions(batch, static_cast<std::size_t>(s), conditioning, limits);
    pieces_.push_back({found.positions.back(), found.block_positions.back(), rows.length(s)});
    require<ConfigError>(found.block_positions.back() > 0,
                         "generation: sequence {} has no open piece; wanted a text with a mask and the token that begins a piece", s);
  }
  session.select(kLastRows, last_rows(rows));
  return rows;
}

void BlankDecoder::feed_tokens(Session& session, std::span<const StepRow> rows, std::span<const std::int32_t> /*slots*/,
                               std::span<const std::int32_t> lengths, const Conditioning& /*once*/) {
  const std::int64_t block_positions = model_.blanks()->block_positions;
  Ids tokens, positions, blocks;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto sequence = static_cast<std::size_t>(rows[r].sequence);
    const Piece& piece = pieces_.at(sequence);
    tokens.push_back(rows[r].token);
    positions.push_back(piece.position);
    blocks.push_back(block_row(piece.block + lengths[r] - piece.rows, block_positions, sequence));
  }
  feed_one_segment(session, encoder::kTokens, rows.size());
  feed_input(session, encoder::kIds, tokens);
  feed_input(session, encoder::kPositions, positions);
  feed_input(session, encoder::kBlockPositions, blocks);
}

CacheNeed cache_need(const BlankModel& model, const Conditioning& conditioning, const CausalDecoderCapacity& capacity) {
  return cache_need(model, virtual_rows(conditioning), capacity);
}

}  // namespace preamble
