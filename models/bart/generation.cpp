// The two graphs of cached generation.
#include "engine/core/error.h"
#include "engine/ops/append_rows.h"
#include "engine/ops/cached_attention.h"
#include "models/bart/attend.h"
#include "models/bart/bart.h"

namespace preamble {

void Bart::prefill(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, std::vector<LayerCache>& caches) {
  const Value encoded = encode(graph, conditioning, capacity);
  const Scope scope(graph, "cross_cache");
  const Value place = row_input(graph, step_inputs::kEncoderRows, encoded.type().rows);
  const auto store = [&](const std::string& name, const Tensor& cache, Value rows) {
    graph.output(name, append_rows(graph.state(name, cache), rows, place));
  };
  for (std::int64_t layer = 0; layer < config_.decoder.layers; ++layer) {
    const KeyValue rows = cross_rows(graph, encoded, layer);
    const LayerCache& cache = caches.at(static_cast<std::size_t>(layer));
    store(fmt::format("cross_key.{}", layer), cache.cross_key, rows.key);
    store(fmt::format("cross_value.{}", layer), cache.cross_value, rows.value);
  }
}

void Bart::step(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, std::int64_t longest,
                std::vector<LayerCache>& caches) {
  const Scope scope(graph, "decoder");
  const RowSpaceId decoder = graph.rows(seq2seq::kDecoder, capacity.target_rows, capacity.sequences);
  const RowSpaceId encoder = graph.rows(seq2seq::kEncoder, caches.at(0).cross_key.dim(0), capacity.sequences);
  const Value x = placed(graph, embed(graph, row_input(graph, seq2seq::kDecoderIds, decoder)), "decoder", seq2seq::kDecoderPositions);
  const Value place = row_input(graph, step_inputs::kPlace, decoder);
  CachedAttentionOperands shared;
  shared.table = input(graph, step_inputs::kTable, {Dtype::i32, decoder, {longest}});
  shared.lengths = row_input(graph, step_inputs::kLengths, decoder);
  const Value row_slots = has_prefix(conditioning, Site::decoder_self) ? row_input(graph, step_inputs::kRowSlots, decoder) : Value{};
  CrossInputs inputs;
  inputs.source = slots_input(graph, seq2seq::kTargetSource, capacity.sequences);
  if (has_prefix(conditioning, Site::cross)) inputs.slots = slots_input(graph, seq2seq::kDecoderSlots, capacity.sequences);
  const Attend attend = [&](std::int64_t layer, Value q, Value k, Value v) {
    const LayerCache& cache = caches.at(static_cast<std::size_t>(layer));
    CachedAttentionOperands operands = shared;
    operands.q = q;
    operands.cache_k = append_rows(graph.state(fmt::format("self_key.{}", layer), cache.self_key), k, place);
    operands.cache_v = append_rows(graph.state(fmt::format("self_value.{}", layer), cache.self_value), v, place);
    add_prefix(operands, conditioning.prefix(Site::decoder_self, layer), row_slots);
    return cached_attention(operands, attention_options(config_, config_.decoder, true));
  };
  const CrossRows cross = [&](std::int64_t layer) -> KeyValue {
    const LayerCache& cache = caches.at(static_cast<std::size_t>(layer));
    return {graph.state(fmt::format("cross_key.{}", layer), cache.cross_key, encoder),
            graph.state(fmt::format("cross_value.{}", layer), cache.cross_value, encoder)};
  };
  graph.output(seq2seq::kLogits, head(graph, decoder_layers(graph, x, conditioning, attend, cross, inputs)));
}

}  // namespace preamble
