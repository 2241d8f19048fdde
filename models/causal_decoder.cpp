#include "models/causal_decoder.h"

#include "engine/ops/gather_rows.h"
#include "models/causal_batch.h"
#include "models/position_counts.h"

namespace preamble {
namespace {

/// A prompt in front is kept as the prefix that it amounts to; an infix of embeddings belongs to each sequence.
VirtualRows virtual_rows(const LanguageModel& model, const Conditioning& conditioning) {
  const bool infix = conditioning.prompt && conditioning.placement == Placement::infix;
  return {prompt_as_prefix(model, conditioning), infix ? conditioning.prompt->space.longest() : 0};
}

}  // namespace

CausalDecoder::CausalDecoder(CausalLm& model, const Conditioner& conditioner, const CausalDecoderCapacity& capacity)
    : CausalDecoder(model, conditioner, capacity, conditioning_alone(model, conditioner)) {}

CausalDecoder::CausalDecoder(CausalLm& model, const Conditioner& conditioner, const CausalDecoderCapacity& capacity,
                             const Conditioning& conditioning)
    : PoolDecoder(model, conditioner, capacity, conditioning, virtual_rows(model, conditioning)), model_(model) {}

Conditioning CausalDecoder::read_conditioning(Graph& graph, const Conditioning& conditioning) {
  return with_prompt_read(model_, graph, conditioning).conditioning;
}

Value CausalDecoder::prefill_logits(Graph& graph, const Conditioning& conditioning, const CausalDecoderCapacity& capacity,
                                    std::vector<KeyValueCache>& caches) {
  longest_behind_prompt_ = longest_behind_prompt(graph);
  const Value hidden = model_.prefill(graph, conditioning, {capacity.sequences, capacity.prompt_tokens}, caches);
  return model_.head(graph, gather_rows(hidden, graph.subset(causal::kLabelled, hidden.type().rows, capacity.sequences)));
}

Value CausalDecoder::step_logits(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest,
                                 std::vector<KeyValueCache>& caches) {
  return model_.head(graph, model_.step(graph, conditioning, rows, longest, caches));
}

Segments CausalDecoder::feed_prompts(Session& session, std::span<const Ids> prompts, std::span<const std::int32_t> slots,
                                     const Conditioning& conditioning) {
  const CausalBatch batch{{prompts.begin(), prompts.end()}, {slots.begin(), slots.end()}};
  feed_rows(session, batch, conditioning, model_.limits());
  session.select(causal::kLabelled, last_rows(segments_of(prompts)));
  return own_segments(batch, conditioning);
}

void CausalDecoder::feed_tokens(Session& session, std::span<const StepRow> rows, std::span<const std::int32_t> slots,
                                std::span<const std::int32_t> lengths, const Conditioning& once) {
  const PositionTable table = model_.positions();
  Ids tokens, positions, counts;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    tokens.push_back(rows[r].token);
    if (table.positions == 0) continue;
    const std::int64_t position = once.first_position(Site::decoder_self, slots[r]) + lengths[r] - 1;
    check_behind_prompt(position + 1, longest_behind_prompt_);
    positions.push_back(position_row(position, table, static_cast<std::size_t>(rows[r].sequence)));
    // keys in the cache stay as they were turned: a new one is turned for the sequence that ends with it
    counts.push_back(static_cast<std::int32_t>(position) + 1);
  }
  feed_one_segment(session, causal::kTokens, rows.size());
  feed_input(session, causal::kIds, tokens);
  if (!positions.empty()) feed_input(session, causal::kPositions, positions);
  if (!counts.empty()) feed_input(session, counts_of(causal::kPositions), counts);
}

CacheNeed cache_need(const CausalLm& model, const Conditioning& conditioning, const CausalDecoderCapacity& capacity) {
  return cache_need(model, virtual_rows(model, conditioning), capacity);
}

}  // namespace preamble
