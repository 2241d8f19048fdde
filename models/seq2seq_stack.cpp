#include "models/seq2seq_stack.h"

#include <utility>

#include "engine/core/error.h"
#include "models/building.h"

namespace preamble {
Seq2SeqStack::Seq2SeqStack(const Seq2SeqShape& shape, StackNames encoder, StackNames decoder, std::string embedding, Parameters&& parameters)
    : embedding_name_(std::move(embedding)),
      vocabulary_(shape.vocabulary),
      parameters_(std::move(parameters)),
      encoder_(shape.encoder, std::move(encoder), parameters_),
      decoder_(shape.decoder, std::move(decoder), parameters_) {}

AttentionShape Seq2SeqStack::attention_shape(Site site) const {
  const StackShape& stack = site == Site::encoder_self ? encoder_.shape() : decoder_.shape();
  return {stack.layers, stack.heads, stack.kv_heads, stack.head_dim};
}

Value Seq2SeqStack::placed(Graph&, Value x, std::string_view, std::string_view) { return x; }

Value Seq2SeqStack::encode(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity) {
  const Scope scope(graph, "encoder");
  const RowSpaceId source = graph.rows(seq2seq::kSource, capacity.source_rows, capacity.sequences);
  const Value tokens = embed(graph, row_input(graph, seq2seq::kSourceIds, source));
  const Value rows = with_prompt(graph, tokens, conditioning, {capacity.sequences, capacity.encoder_rows}, seq2seq::kPrompt);
  const Value x = dropped(graph, placed(graph, rows, "encoder", seq2seq::kEncoderPositions), conditioning.dropout.hidden);
  const Value slots =
      has_prefix(conditioning, Site::encoder_self) ? slots_input(graph, seq2seq::kEncoderSlots, capacity.sequences) : Value{};
  return encoder_.run(graph, x, conditioning, encoder_.attend_to_own(graph, conditioning, Site::encoder_self, slots));
}

Value Seq2SeqStack::embedded_targets(Graph& graph, RowSpaceId decoder, double dropout) {
  const Value tokens = embed(graph, row_input(graph, seq2seq::kDecoderIds, decoder));
  return dropped(graph, placed(graph, tokens, "decoder", seq2seq::kDecoderPositions), dropout);
}

Value Seq2SeqStack::decode(Graph& graph, Value encoded, const Conditioning& conditioning, const Seq2SeqCapacity& capacity) {
  const Scope scope(graph, "decoder");
  const RowSpaceId decoder = graph.rows(seq2seq::kDecoder, capacity.target_rows, capacity.target_segments());
  const Value x = embedded_targets(graph, decoder, conditioning.dropout.hidden);
  const bool prefixed = has_prefix(conditioning, Site::decoder_self) || has_prefix(conditioning, Site::cross);
  const Value slots = prefixed ? slots_input(graph, seq2seq::kDecoderSlots, capacity.target_segments()) : Value{};
  CrossAttention cross;
  cross.slots = slots;
  if (capacity.targets > 0) cross.source = slots_input(graph, seq2seq::kTargetSource, capacity.targets);
  cross.rows = [&](std::int64_t layer) {
    const Value key = decoder_.cross_key(graph, encoded, layer);
    return KeyValue{key, decoder_.cross_value(graph, encoded, layer)};
  };
  return decoder_.run(graph, x, conditioning, decoder_.attend_to_own(graph, conditioning, Site::decoder_self, slots), cross);
}

void Seq2SeqStack::prefill(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, std::vector<LayerCache>& caches) {
  const Value encoded = encode(graph, conditioning, capacity);
  const Scope scope(graph, "cross_cache");
  const Value cache_rows = row_input(graph, seq2seq::kEncoderRows, encoded.type().rows);
  for (std::int64_t layer = 0; layer < decoder_.shape().layers; ++layer) {
    const Value key = decoder_.cross_key(graph, encoded, layer);
    const Value value = decoder_.cross_value(graph, encoded, layer);
    keep_in_cache(graph, caches.at(static_cast<std::size_t>(layer)).cross, layer, {key, value}, cache_rows, "cross");
  }
}

void Seq2SeqStack::step(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, std::int64_t longest,
                        std::vector<LayerCache>& caches) {
  const Scope scope(graph, "decoder");
  const RowSpaceId decoder = graph.rows(seq2seq::kDecoder, capacity.target_rows, capacity.sequences);
  const RowSpaceId encoder = graph.rows(seq2seq::kEncoder, caches.at(0).cross.key.dim(0), capacity.sequences);
  const Value x = embedded_targets(graph, decoder, conditioning.dropout.hidden);
  const StepInputs inputs = StepInputs::declare(graph, decoder, longest, conditioning);
  CrossAttention cross;
  cross.source = slots_input(graph, seq2seq::kTargetSource, capacity.sequences);
  if (has_prefix(conditioning, Site::cross)) cross.slots = slots_input(graph, seq2seq::kDecoderSlots, capacity.sequences);
  const auto cache_of = [&](std::int64_t layer) -> const LayerCache& { return caches.at(static_cast<std::size_t>(layer)); };
  cross.rows = [&](std::int64_t layer) { return from_cache(graph, cache_of(layer).cross, layer, encoder, "cross"); };
  const Attend attend = [&](std::int64_t layer, Value q, Value k, Value v) {
    const KeyValue cache = in_cache(graph, cache_of(layer).self, layer, {k, v}, inputs.cache_row, "self");
    return decoder_.attend_to_cache(graph, layer, q, cache, inputs, conditioning);
  };
  graph.output(seq2seq::kLogits, head(graph, decoder_.run(graph, x, conditioning, attend, cross)));
}

}  // namespace preamble
