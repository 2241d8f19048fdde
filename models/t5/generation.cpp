// The two graphs of cached generation.
#include "engine/core/error.h"
#include "engine/ops/append_rows.h"
#include "engine/ops/cached_attention.h"
#include "engine/ops/elementwise.h"
#include "models/t5/t5.h"
#include "models/t5/attend.h"

namespace preamble {

void T5::prefill(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, std::vector<LayerCache>& caches) {
  const Value encoded = encode(graph, conditioning, capacity);
  const Scope scope(graph, "cross_cache");
  const Value place = graph.input(step_inputs::kEncoderRows, {Dtype::i32, encoded.type().rows, {}});
  const auto store = [&](std::string_view name, const Tensor& cache, Value rows) {
    graph.output(name, append_rows(graph.state(name, cache), rows, place));
  };
  for (std::int64_t layer = 0; layer < config_.num_decoder_layers; ++layer) {
    const std::string cross = block("decoder", layer) + ".layer.1.EncDecAttention";
    const LayerCache& cache = caches.at(static_cast<std::size_t>(layer));
    store(fmt::format("cross_key.{}", layer), cache.cross_key, project(graph, encoded, cross + ".k", config_.inner()));
    store(fmt::format("cross_value.{}", layer), cache.cross_value, project(graph, encoded, cross + ".v", config_.inner()));
  }
}

void T5::step(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, std::int64_t longest,
              std::vector<LayerCache>& caches) {
  const Scope scope(graph, "decoder");
  const RowSpaceId decoder = graph.rows(seq2seq::kDecoder, capacity.target_rows, capacity.sequences);
  const std::int64_t encoder_rows = caches.at(0).cross_key.dim(0);
  const RowSpaceId encoder = graph.rows(seq2seq::kEncoder, encoder_rows, capacity.sequences);
  Value x = embed(graph, graph.input(seq2seq::kDecoderIds, {Dtype::i32, decoder, {}}));
  const Value table = graph.input(step_inputs::kTable, {Dtype::i32, decoder, {longest}});
  const Value lengths = graph.input(step_inputs::kLengths, {Dtype::i32, decoder, {}});
  const Value place = graph.input(step_inputs::kPlace, {Dtype::i32, decoder, {}});
  const Value source = graph.input(seq2seq::kTargetSource, {Dtype::i32, kNoRows, {capacity.sequences}});
  const Value row_slots = has_prefix(conditioning, Site::decoder_self) ? graph.input(step_inputs::kRowSlots, {Dtype::i32, decoder, {}}) : Value{};
  const Value slots = has_prefix(conditioning, Site::cross) ? slots_input(graph, seq2seq::kDecoderSlots, capacity.sequences) : Value{};
  const AttentionOptions options = attention_options(config_, false, conditioning);
  for (std::int64_t layer = 0; layer < config_.num_decoder_layers; ++layer) {
    const Scope inner(graph, fmt::format("block.{}", layer));
    const LayerCache& cache = caches.at(static_cast<std::size_t>(layer));
    const std::string attend = block("decoder", layer) + ".layer.0.SelfAttention";
    const Value h = normed(graph, x, block("decoder", layer) + ".layer.0.layer_norm");
    const auto append = [&](std::string_view name, const Tensor& memory, const std::string& weight) {
      return append_rows(graph.state(fmt::format("{}.{}", name, layer), memory), project(graph, h, weight, config_.inner()), place);
    };
    CachedAttentionOperands operands;
    operands.q = project(graph, h, attend + ".q", config_.inner());
    operands.cache_k = append("self_key", cache.self_key, attend + ".k");
    operands.cache_v = append("self_value", cache.self_value, attend + ".v");
    operands.table = table;
    operands.lengths = lengths;
    operands.bias_table = bias_table(graph, "decoder", layer);
    add_prefix(operands, conditioning.prefix(Site::decoder_self, layer), row_slots);
    x = add(x, project(graph, cached_attention(operands, options), attend + ".o", config_.d_model));
    const Value key = graph.state(fmt::format("cross_key.{}", layer), cache.cross_key, encoder);
    const Value value = graph.state(fmt::format("cross_value.{}", layer), cache.cross_value, encoder);
    x = cross_attention(graph, x, key, value, conditioning, layer, slots, source);
    x = feed_forward(graph, x, block("decoder", layer) + ".layer.2", conditioning.dropout.hidden);
  }
  graph.output(seq2seq::kLogits, head(graph, normed(graph, x, "decoder.final_layer_norm")));
}

}  // namespace preamble
