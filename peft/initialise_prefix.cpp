#include "peft/initialise_prefix.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/ops/attention.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "models/seq2seq_batch.h"

namespace preamble {
namespace {

constexpr std::array<std::pair<std::string_view, PrefixInitKind>, 4> kNames = {{{"random", PrefixInitKind::random},
                                                                                {"zero", PrefixInitKind::zero},
                                                                                {"text", PrefixInitKind::text},
                                                                                {"adapter", PrefixInitKind::adapter}}};

/// Where an attention of a plain encoder-decoder's graph stands: a decoder's queries have the decoder's rows.
Site site_at(const Graph& graph, const Node& attention) {
  const auto rows = [&](std::size_t operand) { return graph.rows(attention.inputs[operand].type().rows).name; };
  if (rows(Attention::kQuery) != seq2seq::kDecoder) return Site::encoder_self;
  return rows(Attention::kKey) == seq2seq::kDecoder ? Site::decoder_self : Site::cross;
}

/// Marks keys and values of all attentions as results; returns how many layers each site has.
std::map<Site, std::int64_t> mark_activations(Graph& graph) {
  std::map<Site, std::int64_t> layers;
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    if (dynamic_cast<const Attention*>(node.op.get()) == nullptr) continue;
    const Site site = site_at(graph, node);
    const std::int64_t layer = layers[site]++;
    graph.output(fmt::format("{}.key.{}", name_of(site), layer), node.inputs[Attention::kKey]);
    graph.output(fmt::format("{}.value.{}", name_of(site), layer), node.inputs[Attention::kValue]);
  }
  return layers;
}

/// The layer whose numbers a pair starts with.
std::vector<std::int64_t> layer_of_pair(std::int64_t pairs, const std::map<std::int64_t, std::int64_t>& pair_of_layer) {
  std::vector<std::int64_t> layers(static_cast<std::size_t>(pairs));
  for (std::int64_t pair = 0; pair < pairs; ++pair) layers[static_cast<std::size_t>(pair)] = pair;
  for (auto entry = pair_of_layer.rbegin(); entry != pair_of_layer.rend(); ++entry) {
    layers.at(static_cast<std::size_t>(entry->second)) = entry->first;
  }
  return layers;
}

/// Writes rows [N, width] into columns of a table, as many rows as both have.
void put(Tensor& table, std::int64_t column, const float* rows, std::int64_t stride, std::int64_t count, std::int64_t width) {
  const std::int64_t columns = table.dim(1);
  float* to = table.values<float>().data() + column;
  for (std::int64_t r = 0; r < std::min(count, table.dim(0)); ++r) std::copy_n(rows + r * stride, width, to + r * columns);
}

}  // namespace

PrefixInitKind prefix_init_of(std::string_view name) {
  const auto found = std::ranges::find(kNames, name, &std::pair<std::string_view, PrefixInitKind>::first);
  require<ConfigError>(found != kNames.end(), "prefix initialiser: '{}' was given; wanted random, zero, text or adapter", name);
  return found->second;
}

std::map<Site, SiteActivations> word_activations(EncoderDecoder& model, const std::vector<std::int32_t>& text, std::int64_t tokens) {
  require<ConfigError>(!text.empty() && tokens > 0, "prefix initialiser: a text of {} tokens was given for {} rows; wanted one at least",
                       text.size(), tokens);
  Seq2SeqBatch batch;
  batch.sources.emplace_back();
  for (std::int64_t i = 0; i < tokens; ++i) batch.sources[0].push_back(text[static_cast<std::size_t>(i) % text.size()]);
  batch.decoder_inputs = batch.sources;
  batch.decoder_inputs[0].insert(batch.decoder_inputs[0].begin(), model.decoder_start_id());
  Graph graph;
  const Value encoded = model.encode(graph, {}, batch.capacity());
  (void)model.decode(graph, encoded, {}, batch.capacity());
  const auto layers = mark_activations(graph);
  Session session(compile(std::move(graph)));
  feed(session, batch, {}, model.limits(), 1);
  session.run();
  std::map<Site, SiteActivations> result;
  for (const auto& [site, count] : layers) {
    const std::int64_t first = site == Site::decoder_self ? 1 : 0;
    const auto rows = [&](std::string_view what, std::int64_t layer) {
      return session.result_tensor(fmt::format("{}.{}.{}", name_of(site), what, layer)).rows(first, tokens);
    };
    for (std::int64_t layer = 0; layer < count; ++layer) {
      result[site].keys.push_back(rows("key", layer));
      result[site].values.push_back(rows("value", layer));
    }
  }
  return result;
}

SitePrefixTable initial_prefix(const PrefixInit& init, EncoderDecoder& model, Site site, std::int64_t pairs,
                               const std::map<std::int64_t, std::int64_t>& pair_of_layer) {
  require<ConfigError>(init.tokens > 0 && pairs > 0, "prefix initialiser: {} rows of {} layers were asked for; wanted one at least",
                       init.tokens, pairs);
  const AttentionShape shape = model.attention_shape(site);
  const std::int64_t width = shape.kv_width();
  Tensor rows(Dtype::f32, {init.tokens, pairs * 2 * width});
  if (init.kind == PrefixInitKind::random || init.kind == PrefixInitKind::adapter) {
    constexpr std::uint64_t kStream = 0x70726566;
    Random random(init.seed, kStream + static_cast<std::uint64_t>(site));
    for (auto& x : rows.values<float>()) x = static_cast<float>(init.deviation) * random.normal();
  }
  const auto layers = layer_of_pair(pairs, pair_of_layer);
  if (init.kind == PrefixInitKind::text) {
    const SiteActivations words = word_activations(model, init.text, init.tokens).at(site);
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
      const auto layer = static_cast<std::size_t>(layers[static_cast<std::size_t>(pair)]);
      put(rows, 2 * pair * width, words.keys.at(layer).values<float>().data(), width, init.tokens, width);
      put(rows, (2 * pair + 1) * width, words.values.at(layer).values<float>().data(), width, init.tokens, width);
    }
  }
  if (init.kind == PrefixInitKind::adapter) {
    require<ConfigError>(init.adapter != nullptr, "prefix initialiser: adapter without a prefix for '{}'; wanted one", name_of(site));
    require<ShapeError>(init.adapter->heads == shape.kv_heads && init.adapter->head_dim == shape.head_dim,
                        "prefix initialiser: a prefix of {} heads of {} was given; wanted {} of {}", init.adapter->heads,
                        init.adapter->head_dim, shape.kv_heads, shape.head_dim);
    const Tensor given = init.adapter->packed().rows;
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
      const auto found = init.adapter->pair_of_layer.find(layers[static_cast<std::size_t>(pair)]);
      if (found == init.adapter->pair_of_layer.end()) continue;
      put(rows, 2 * pair * width, std::as_const(given).values<float>().data() + 2 * found->second * width, given.dim(1), given.dim(0),
          2 * width);
    }
  }
  return {PackedRows{std::move(rows)}, shape.kv_heads, shape.head_dim, pair_of_layer};
}

}  // namespace preamble
